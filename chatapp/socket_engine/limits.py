"""Limits of what one client may send and what the server queues for it."""

from chatapp.limits.metadata import MAX_METADATA_BYTES

MIN_PACKET_BYTES = 65_536
"""Lower bound of `max_packet_bytes`, which limits a WebSocket message and the body of a polling request."""

MAX_FRAGMENTS = 1_000
"""Maximum number of fragments of one WebSocket message."""

MAX_PACKETS_PER_REQUEST = 1_000
"""Maximum number of packets in the body of a polling request: a polling page sends its whole outbox at once."""

MAX_CONCURRENT_EVENTS = 50
"""Maximum number of events of one socket that are handled at the same time."""

TURN_SECONDS = 0.001
"""Time in which events of one socket are handled before other sockets get their turn."""

BYTES_PER_EVENT = 1_024
"""Bytes of a packet that count as one event: a long packet counts as several."""

BURST_SECONDS = 5
"""Size of a burst of events, in seconds of the event rate."""

USER_RATE_FACTOR, ADDRESS_RATE_FACTOR = 2, 20
"""Rate of all sockets of a user, and of an address, as multiples of the rate of one socket."""

MAX_PAUSE_SECONDS = 5.0
"""Longest pause of a socket that sends too fast, before its next event is read."""

MAX_QUEUED_BYTES = 8_000_000
"""Maximum number of bytes that are queued for a client that does not read.

Clients share the frames of a broadcast: for 100 that do not read in one room, 8 MB take 7 MB more memory in all than
2 MB. One that is disconnected catches up.
"""

MAX_QUEUED_OWN_BYTES = 2_000_000
"""Maximum number of bytes in frames that are for this client alone, such as pages of the history, since it last had
read everything. Nobody shares their memory."""

MAX_QUEUED_FRAMES = 20_000
"""Maximum number of frames that are queued for a client that does not read."""

JOINED_BYTES = 262_144
"""Size from which frames are sent to a client in several pieces."""

HANDSHAKE_SECONDS = 10.0
"""Maximum time from opening a connection to its authentication, and for an upgrade to WebSocket."""

MAX_UNAUTHENTICATED_CONNECTIONS = 500
"""Maximum number of unauthenticated connections from one address."""

CONNECTION_BURST_SECONDS = 20
"""Size of a burst of new connections, in seconds of their rate: a whole office reconnects at once."""

ABUSE_PENALTY_CONNECTIONS = 20
"""Tokens of the address's connection limit that a connection closed for abuse costs. A new connection costs one."""

REFUSAL_DELAY_SECONDS = 1.0
"""Delay of a refusal (tarpit), which slows down a client that retries at once."""

MAX_DELAYED_REFUSALS = 100
"""Maximum number of refusals for one address that are delayed at the same time; more are sent at once."""

LOG_LINES_PER_SECOND, LOG_LINES_BURST = 0.1, 20
"""Lines in the log about closed connections of one address that were not authenticated."""


def max_packet_bytes(max_message_chars: int) -> int:
    """Return the limit of a packet in bytes where a message may have `max_message_chars` characters.

    A message that is a little too long must still fit, so that it is refused with the reason: a program may write an
    emoji, which has four bytes, as twelve bytes of JSON.
    """
    return max(MIN_PACKET_BYTES, 12 * max_message_chars + 3 * MAX_METADATA_BYTES + 4_096)


POLLING_REFUSED = (
    "This server has several processes, so it accepts WebSocket connections only. "
    "Connect with the option transports: ['websocket']."
)
