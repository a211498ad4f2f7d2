"""Backups of an installation, and their restoration: the database and the files of the data folder in one tar file."""
