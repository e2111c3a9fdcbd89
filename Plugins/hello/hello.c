int placeholder_hello;
