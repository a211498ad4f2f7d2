"""Parsing of Socket.IO packets from clients. Only the part of the protocol that our pages use is accepted.

See https://github.com/socketio/socket.io-protocol. Acknowledgements, other namespaces and binary packets are refused: a
binary packet may claim ten million attachments, for which the library would wait.
"""

from collections.abc import Collection, Container
from typing import Any

from socketio.packet import CONNECT, DISCONNECT, EVENT, Packet

from chatapp.limits.json_depth import MAX_JSON_DEPTH
from chatapp.socket_engine import codec


class Malformed(ValueError):
    """Input that our pages never send; the connection is closed. The text is the reason, for the log."""


class StrictPacket(Packet):  # type: ignore[misc]  # the library is not typed
    """A packet that opens or closes the connection, or carries an event. See `make_packet_class`."""

    uses_binary_events = False
    event_names: Collection[str] = ()
    """Events that are accepted."""

    def decode(self, encoded_packet: object) -> int:
        """Parse a packet. Raises `Malformed`."""
        if not isinstance(encoded_packet, str):
            raise Malformed("a binary packet")
        self.namespace = None
        kind = encoded_packet[:1]
        if kind == "2":
            self.packet_type = EVENT
            self.data: Any
            self.id, self.data = parse_event(encoded_packet, self.event_names)
        elif kind == "0":
            self.packet_type = CONNECT
            self.data = _parse_json(encoded_packet[1:]) if len(encoded_packet) > 1 else None
            if not isinstance(self.data, dict | None):
                raise Malformed("a malformed CONNECT packet, or an unknown namespace")
        elif encoded_packet == "1":
            self.packet_type = DISCONNECT
            self.data = None
        else:
            raise Malformed("a packet of a type that is not accepted")
        return 0


def parse_event(encoded: str, event_names: Container[str]) -> tuple[int | None, list[Any]]:
    """Return the number of an event that wants an acknowledgement, and the event's name followed by its arguments.

    Raises `Malformed`, also for a name that is not one of `event_names`.
    """
    start = encoded.find("[")
    number = encoded[1:start]
    if start < 0 or (number and not (number.isascii() and number.isdigit() and len(number) <= 10)):
        raise Malformed("a malformed event, or an unknown namespace")
    data = _parse_json(encoded[start:])
    name = data[0] if isinstance(data, list) and data else None
    if not isinstance(name, str) or name not in event_names:
        raise Malformed("an event with an unknown name")
    return int(number) if number else None, data


def make_packet_class(event_names: Collection[str]) -> type[StrictPacket]:
    """Return a packet class that accepts these events. The library takes a class, not an object."""
    return type("AcceptedPacket", (StrictPacket,), {"event_names": event_names})


def _parse_json(text: str) -> Any:
    try:
        return codec.loads(text)
    except ValueError:
        raise Malformed(f"malformed JSON, or JSON that is nested more than {MAX_JSON_DEPTH} levels deep") from None
