"""A Flask application that returns the files of a folder from memory, served as chatapp is: the peer of its pages.

`python -m bench.bare_server FOLDER` prints its port, and serves `/NAME` until it is killed.
"""

import socket
import sys
from pathlib import Path

import eventlet
import eventlet.wsgi

eventlet.monkey_patch()

from flask import Flask, Response  # noqa: E402 - the standard library is patched first

from chatapp.config import Settings  # noqa: E402
from chatapp.http_server.arrivals import AdmittingListener  # noqa: E402
from chatapp.http_server.connections import HttpConnections  # noqa: E402
from chatapp.http_server.listener import FairListener  # noqa: E402
from chatapp.http_server.polling import ChatFirst  # noqa: E402
from chatapp.http_server.protocol import make_protocol  # noqa: E402


def main(folder: Path) -> None:
    """Serve the files of a folder."""
    app = Flask("bare", static_folder=None)
    files = {file.name: file.read_bytes() for file in folder.iterdir()}

    @app.get("/<name>")
    def show(name: str) -> Response:
        return Response(files[name], mimetype="text/html")

    settings = Settings(connections_per_second=0)
    connections = HttpConnections(settings)
    protocol = make_protocol(
        connections,
        ChatFirst(),
        timeout_seconds=settings.http_timeout_seconds,
        keep_alive_seconds=settings.keep_alive_seconds,
    )
    listener = eventlet.listen(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(listener.getsockname()[1], flush=True)
    eventlet.wsgi.server(
        AdmittingListener(FairListener(listener), connections), app, protocol=protocol, log_output=False, debug=False
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
