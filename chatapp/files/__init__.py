"""Files that people attach to messages: uploads, the store, and what is known of their contents."""
