"""The packets that are taken from clients: a small part of what Socket.IO's protocol allows, the part that we speak.

See https://github.com/socketio/socket.io-protocol. Acknowledgements, other namespaces and binary packets never come
from our pages; a binary packet may claim ten million attachments and make the library wait for them.
"""

from collections.abc import Collection, Iterable
from typing import Any

from socketio.packet import CONNECT, DISCONNECT, EVENT, Packet

from chatapp.socket_engine.limits import DEPTH


class Malformed(ValueError):
    """What none of our pages sends: the connection ends. The text is the reason, for the log."""


class StrictPacket(Packet):  # type: ignore[misc]  # the library is not typed
    """A packet that is an event of ours, or opens or ends the connection. Decoding another one raises `Malformed`."""

    uses_binary_events = False
    events: Collection[str] = ()
    """The names of events that are taken."""

    def decode(self, encoded_packet: object) -> int:
        """Read a packet. Raises `Malformed`."""
        if not isinstance(encoded_packet, str):
            raise Malformed("a binary packet")
        self.namespace = None
        kind = encoded_packet[:1]
        if kind == "2":
            self.packet_type = EVENT
            self._decode_event(encoded_packet)
        elif kind == "0":
            self.packet_type = CONNECT
            self.data = _read_json(encoded_packet[1:]) if len(encoded_packet) > 1 else None
            if not isinstance(self.data, dict | None):
                raise Malformed("a malformed opening, or an unknown namespace")
        elif encoded_packet == "1":
            self.packet_type = DISCONNECT
            self.data = None
        else:
            raise Malformed("a packet of a kind that is not taken")
        return 0

    def _decode_event(self, encoded: str) -> None:
        start = encoded.find("[")
        number = encoded[1:start]
        if start < 0 or (number and not (number.isascii() and number.isdigit() and len(number) <= 10)):
            raise Malformed("a malformed event, or an unknown namespace")
        self.id = int(number) if number else None
        self.data = _read_json(encoded[start:])
        name = self.data[0] if isinstance(self.data, list) and self.data else None
        if not isinstance(name, str) or name not in self.events:
            raise Malformed("an event with an unknown name")


def _read_json(text: str) -> Any:
    try:
        value = StrictPacket.json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed("malformed JSON") from None
    # Brackets in texts count too: only then one looks closely.
    if text.count("[") + text.count("{") > DEPTH and _is_deep(value):
        raise Malformed("JSON that is nested too deeply")
    return value


def _is_deep(value: object) -> bool:
    level: Iterable[object] = [value]
    for _ in range(DEPTH + 1):
        level = [
            each
            for container in level
            if isinstance(container, list | dict)
            for each in (container if isinstance(container, list) else container.values())
        ]
        if not level:
            return False
    return True
