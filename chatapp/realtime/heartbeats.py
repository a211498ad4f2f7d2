"""Heartbeats: the heads of conversations, by which a client detects that it missed the last event."""

from collections.abc import Sequence
from contextlib import nullcontext

from flask import Flask
from socketio import Server

from chatapp.extensions import db
from chatapp.realtime.application import Realtime
from chatapp.realtime.broadcast_queue import BroadcastQueue
from chatapp.realtime.ordering import TimelineOrder
from chatapp.timeline import Head, list_heads
from chatapp.timeline.epoch import get_epoch
from chatapp.timeline.signals import epoch_renewed


class Heartbeats:
    """Sends the heads of the conversations that sockets of this process have joined, also when the epoch changes."""

    def __init__(
        self, app: Flask, realtime: Realtime, order: TimelineOrder | None, queue: BroadcastQueue | None
    ) -> None:
        self._app = app
        self._server = realtime.server
        self._connections = realtime.connections
        self._positions = realtime.positions
        self._order = order
        self._queue = queue
        self._fallback = realtime.fallback
        realtime.signals.connect(epoch_renewed, self.restart)

    def send(self) -> None:
        """Emit the heads. Before that, broadcast the events of other processes whose notifications were lost."""
        with self._app.app_context(), self._order.paused() if self._order else nullcontext():
            ids = {ref.id for ref in self._connections.list_conversations(with_news=self._order is not None)}
            heads = list_heads(db.session(), [*ids.union(self._fallback.list_page_ids())])
            for head in heads:
                self._fallback.check_page(head.conversation, last_event=head.last_event, floor=head.floor)
            if self._order is not None:
                # A later event would be missing for the clients.
                self._catch_up(self._order, heads)
            emit_heads(self._server, heads)

    def restart(self, _epoch: str) -> None:
        """Forget the events of a former epoch, and emit the heads: clients load the last page."""
        self._fallback.forget_pages()
        if self._queue is not None:
            self._queue.restart(self._read_heads)
        self.send()

    def _read_heads(self) -> dict[str, int]:
        with self._app.app_context():
            heads = list_heads(db.session(), [ref.id for ref in self._connections.list_conversations(with_news=True)])
        return {head.conversation.wire_name: head.last_event for head in heads}

    def _catch_up(self, order: TimelineOrder, heads: Sequence[Head]) -> None:
        numbers = {head.conversation.wire_name: head.last_event for head in heads}
        for wire_name, last_event in numbers.items():
            # Events from before the first heartbeat are not broadcast: clients have loaded them with the page.
            self._positions.start_at(wire_name, last_event)
        order.broadcast([], numbers)


def emit_heads(server: Server, heads: Sequence[Head]) -> None:
    """Emit each head to its conversation."""
    if not heads:
        return
    epoch = get_epoch(db.session())
    for head in heads:
        wire_name = head.conversation.wire_name
        numbers = {"last_event": head.last_event, "floor": head.floor}
        server.emit("heads", {"epoch": epoch, "conversations": {wire_name: numbers}}, to=wire_name)
