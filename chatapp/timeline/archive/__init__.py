"""The message archive: compressed files with the messages that cleanups have removed, and their restoration."""
