"""Messages over HTTP: HTML fragments for the page, and posting without JavaScript."""
