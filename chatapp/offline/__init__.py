"""chatapp as an installed application, which shows what was read before while the server cannot be reached."""
