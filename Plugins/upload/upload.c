int placeholder_upload;
