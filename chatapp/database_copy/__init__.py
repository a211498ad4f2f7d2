"""`flask copy-database`: the move of an installation from SQLite to PostgreSQL, and back."""
