"""Heartbeats: the heads of conversations, by which a client detects that it missed the last event."""

from collections.abc import Sequence
from contextlib import nullcontext, suppress

from flask import Flask
from socketio import Server

from chatapp.extensions import db
from chatapp.realtime.application import Realtime
from chatapp.realtime.broadcast_queue import BroadcastQueue
from chatapp.realtime.ordering import EpochChangedError, TimelineOrder
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
        try:
            self._send()
        except EpochChangedError:
            self.restart()

    def restart(self, _epoch: str = "") -> None:
        """Forget the events of a former epoch, and emit the heads: clients load the last page."""
        self._fallback.forget_pages()
        if self._queue is not None:
            self._queue.restart(self._read_last_events)
        else:
            self._positions.restart(*self._read_last_events())
        with suppress(EpochChangedError):  # It has changed once more, which the next check or heartbeat finds.
            self._send()

    def _send(self) -> None:
        with self._app.app_context(), self._order.paused() if self._order else nullcontext():
            ids = {ref.id for ref in self._connections.list_conversations(with_news=self._order is not None)}
            epoch, heads = _read_heads([*ids.union(self._fallback.list_page_ids())])
            # Clients that know the new epoch would miss events whose numbers were broadcast in the former one.
            self._positions.check_epoch(epoch)
            for head in heads:
                self._fallback.check_page(head.conversation, last_event=head.last_event, floor=head.floor)
            if self._order is not None:
                # A later event would be missing for the clients.
                self._catch_up(self._order, heads)
            emit_heads(self._server, epoch, heads)

    def _read_last_events(self) -> tuple[str, dict[str, int]]:
        with self._app.app_context():
            epoch, heads = _read_heads([ref.id for ref in self._connections.list_conversations(with_news=True)])
        return epoch, _list_last_events(heads)

    def _catch_up(self, order: TimelineOrder, heads: Sequence[Head]) -> None:
        numbers = _list_last_events(heads)
        for wire_name, last_event in numbers.items():
            # Events from before the first heartbeat are not broadcast: clients have loaded them with the page.
            self._positions.start_at(wire_name, last_event)
        order.broadcast([], numbers)


def _read_heads(conversation_ids: Sequence[int]) -> tuple[str, Sequence[Head]]:
    """Return the epoch and the heads of conversations, in one snapshot."""
    session = db.session()
    return get_epoch(session), list_heads(session, conversation_ids)


def _list_last_events(heads: Sequence[Head]) -> dict[str, int]:
    return {head.conversation.wire_name: head.last_event for head in heads}


def emit_heads(server: Server, epoch: str, heads: Sequence[Head]) -> None:
    """Emit each head to its conversation."""
    for head in heads:
        wire_name = head.conversation.wire_name
        numbers = {"last_event": head.last_event, "floor": head.floor}
        server.emit("heads", {"epoch": epoch, "conversations": {wire_name: numbers}}, to=wire_name)
