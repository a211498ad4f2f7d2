"""What people want done at a time: messages that are sent later."""
