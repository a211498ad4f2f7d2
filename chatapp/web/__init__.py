"""Rules for every HTTP request and response: host names, headers, cookies, CSRF tokens, the size of a body."""
