"""What the tests drive: real servers, people with real sockets, a real browser."""
