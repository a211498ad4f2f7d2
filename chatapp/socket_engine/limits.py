"""Limits of what one client may send and what the server queues for it."""

MIN_PACKET_BYTES = 65_536
"""Limit of a WebSocket message and of the body of a polling request for short messages: see `max_packet_bytes`."""

MAX_FRAGMENTS = 1_000
"""Fragments of one WebSocket message."""

MAX_JSON_DEPTH = 32
"""Lists and objects within one another in a packet."""

MAX_PACKETS_PER_REQUEST = 1_000
"""Packets in the body of a polling request: a page that polls sends all of its outbox at once."""

MAX_CONCURRENT_EVENTS = 50
"""Events of one socket that are handled at the same time."""

BYTES_PER_EVENT = 2_048
"""Bytes of a packet that count as one event: a long packet counts as several."""

BURST_SECONDS = 5
"""Seconds of its rate of events that a client may use at once."""

USER_RATE_FACTOR, ADDRESS_RATE_FACTOR = 2, 20
"""Rate of all sockets of a user, and of an address, as multiples of the rate of one socket."""

MAX_PAUSE_SECONDS = 5.0
"""Longest pause of a socket that sends too fast, before its next event is read."""

MAX_QUEUED_BYTES = 2_000_000
"""Bytes that are queued for a client that does not read."""

MAX_QUEUED_FRAMES = 5_000
"""Frames that are queued for a client that does not read."""

HANDSHAKE_SECONDS = 10.0
"""Time from opening a connection to its authentication, and for an upgrade to WebSocket."""

MAX_UNAUTHENTICATED_CONNECTIONS = 500
"""Connections from one address that are not authenticated yet."""

CONNECTION_BURST_SECONDS = 20
"""Seconds of its rate of new connections that an address may use at once: a whole office reconnects at once."""

ABUSE_PENALTY_CONNECTIONS = 20
"""New connections that a connection counts as which was closed for abuse."""

REFUSAL_DELAY_SECONDS = 1.0
"""Delay of a refusal (tarpit), so that a client that tries again and again is slowed down."""

MAX_DELAYED_REFUSALS = 100
"""Refusals for one address that are delayed at the same time; more are sent at once."""


def max_packet_bytes(max_message_chars: int) -> int:
    """Return the limit of a packet in bytes where a message may have `max_message_chars` characters.

    A message that is a little too long must still fit, so that it is refused with the reason: a program may write an
    emoji as twelve bytes of JSON.
    """
    return max(MIN_PACKET_BYTES, 12 * max_message_chars + 4_096)
