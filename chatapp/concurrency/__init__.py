"""Threads and processes: native threads for blocking calls, worker processes, and supervised background work."""
