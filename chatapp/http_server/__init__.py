"""HTTP connections of the server with eventlet: how many there are, and how long they may keep it waiting.

- `connections.py` counts connections and decides which to refuse or to close. It is used by both modules below.
- `protocol.py` is the class that eventlet's server runs for each connection, `streams.py` has its time-outs.
- `polling.py` chooses which sockets the event loop serves first.
- `gate.py` is WSGI middleware that recognises requests with a login session.
"""
