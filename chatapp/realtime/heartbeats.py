"""Heartbeats: the heads of conversations, by which a client detects that it missed the last event."""

from collections.abc import Sequence

from flask import Flask
from socketio import Server

from chatapp.extensions import db
from chatapp.realtime.application import Realtime
from chatapp.realtime.ordering import TimelineOrder
from chatapp.timeline import Head, list_heads
from chatapp.timeline.epoch import get_epoch


class Heartbeats:
    """Sends the heads of the conversations that sockets of this process have joined."""

    def __init__(self, app: Flask, realtime: Realtime, order: TimelineOrder | None) -> None:
        self._app = app
        self._server = realtime.server
        self._connections = realtime.connections
        self._positions = realtime.positions
        self._order = order
        self._fallback = realtime.fallback

    def send(self) -> None:
        """Emit the heads. Before that, broadcast the events of other processes whose notifications were lost."""
        with self._app.app_context():
            if self._order is not None:
                self._catch_up(self._order)
            ids = {ref.id for ref in self._connections.list_conversations()}
            heads = list_heads(db.session(), [*ids.union(self._fallback.list_page_ids())])
            for head in heads:
                self._fallback.check_page(head.conversation, last_event=head.last_event, floor=head.floor)
            emit_heads(self._server, heads)

    def _catch_up(self, order: TimelineOrder) -> None:
        ids = [ref.id for ref in self._connections.list_conversations(with_news=True)]
        for head in list_heads(db.session(), ids):
            wire_name = head.conversation.wire_name
            # Events from before the first heartbeat are not broadcast: clients have loaded them with the page.
            self._positions.start_at(wire_name, head.last_event)
            order.on_remote_commit(wire_name, head.last_event)


def emit_heads(server: Server, heads: Sequence[Head]) -> None:
    """Emit each head to its conversation."""
    if not heads:
        return
    epoch = get_epoch(db.session())
    for head in heads:
        wire_name = head.conversation.wire_name
        numbers = {"last_event": head.last_event, "floor": head.floor}
        server.emit("heads", {"epoch": epoch, "conversations": {wire_name: numbers}}, to=wire_name)
