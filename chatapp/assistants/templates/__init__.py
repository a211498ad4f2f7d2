"""Session templates: a prompt and first messages that assistant sessions begin with."""
