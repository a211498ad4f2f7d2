"""Messages whose Markdown was not rendered in time for their broadcast.

A live event waits for nothing: it shows such a message as it is written. Here a worker process renders it, and its HTML
follows.
"""

import threading
from collections import deque

from socketio import Server

from chatapp.concurrency.cooperation import in_slices
from chatapp.presentation.messages import MessagePresenter
from chatapp.timeline import TimelineMessage

MAX_WAITING = 200
"""Maximum number of messages that wait. The oldest are not formatted until the page is loaded again."""


class LateFormatting:
    """Renders broadcast messages that are shown as they are written, one after the other, and emits their HTML."""

    def __init__(self, server: Server, presenter: MessagePresenter) -> None:
        self._server = server
        self._presenter = presenter
        self._waiting: deque[TimelineMessage] = deque(maxlen=MAX_WAITING)
        self._is_filled = threading.Event()

    def __len__(self) -> int:
        """Return the number of messages that wait."""
        return len(self._waiting)

    def add(self, message: TimelineMessage) -> None:
        """Format a message that was broadcast. A pending one is broadcast again when it is stored."""
        if message.seq is not None:
            self._waiting.append(message)
            self._is_filled.set()

    def run(self) -> None:
        """Format what is added, forever."""
        while True:
            self._is_filled.wait()
            self._is_filled.clear()
            while self._waiting:
                self.format_next()

    def format_next(self) -> None:
        """Render the message that waits longest, and emit its HTML to the sockets that show it."""
        message = self._waiting.popleft()
        with in_slices():
            presented = self._presenter.present(message)
        if presented.is_final:
            channel = message.conversation.wire_name
            key = {"conversation": channel, "seq": message.seq, "version": message.version}
            self._server.emit("message_formatted", {**key, "html": presented.html}, to=channel)
