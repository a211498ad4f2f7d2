"""The HTTP API: conversations and messages, assistant sessions, API tokens, and the API's document."""
