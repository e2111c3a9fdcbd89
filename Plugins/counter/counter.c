int placeholder_counter;
