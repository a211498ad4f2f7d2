"""The life of a serving process: preparing the database, listening, background work, graceful shutdown."""
