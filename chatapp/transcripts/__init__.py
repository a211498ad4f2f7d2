"""Transcripts of conversations with assistants: exported files, and public pages behind a share link."""
