"""The API of assistants: private sessions, and the conversation that all users share."""
