"""Rules for every HTTP request and response: hosts, headers, cookies, CSRF tokens, the size of a body, static files."""
