"""What an operator configures: the settings, the assistants, and the folder for the data."""

from chatapp.config.loading import load_settings, log_variable_problems
from chatapp.config.settings import (
    EXTENSION,
    ROOT,
    VARIABLES,
    Settings,
    current_settings,
    http_address,
    name_driver,
    read_key_file,
)

__all__ = [
    "EXTENSION",
    "ROOT",
    "VARIABLES",
    "Settings",
    "current_settings",
    "http_address",
    "load_settings",
    "log_variable_problems",
    "name_driver",
    "read_key_file",
]
