"""The API: conversations and their history for programs, and the tokens that they act with."""
