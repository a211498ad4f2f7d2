"""Messages over HTTP: older ones as HTML, and posting by a plain form."""
