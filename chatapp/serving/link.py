"""What a worker has from its parent (`chatapp.serving.parent`)."""

import os
import socket

from chatapp.http_server.listener import Loads, SharedListener


class ParentLink:
    """The listening socket that the workers share, and the channel to the parent."""

    def __init__(self, text: str, *, is_first: bool) -> None:
        """Take over the descriptors in `text`, as the parent passes them."""
        listener, channel, loads, slot = map(int, text.split(","))
        for descriptor in (listener, channel, loads):
            os.set_inheritable(descriptor, False)
        self.is_first = is_first
        """Whether no other worker serves yet: this one accepts connections before it is ready."""
        self.loads = Loads(loads, slot)
        self.listener = SharedListener(socket.socket(fileno=listener), self.loads)
        self._channel = socket.socket(fileno=channel)

    def report_ready(self, setup_path: str | None) -> None:
        """Report that this worker serves, with the path of the setup link as long as there is no account."""
        self._channel.sendall(f"ready {setup_path or ''}\n".encode())

    def wait(self) -> bool:
        """Wait until this worker has to end. Return True if another one replaces it, False if the parent is gone."""
        try:
            return bool(self._channel.recv(64))
        except OSError:
            return False
