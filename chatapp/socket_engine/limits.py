"""What one client may ask of the server: the numbers, and the buckets that measure it."""

import time

PACKET_BYTES = 65_536
"""A WebSocket message, its fragments together, and the body of a polling request, at the most; see `packet_bytes`."""

FRAGMENTS = 1_000
"""Fragments of one WebSocket message at the most."""

DEPTH = 32
"""Lists and objects within one another in a packet, at the most."""

COST_BYTES = 2_048
"""Bytes of a packet that count as one event: a long one counts as several."""

BURST = 5
"""Seconds of its rate that a client may use up at once."""

PERSON, ADDRESS = 2, 20
"""How many times the rate of a socket a person has with all of theirs, and an address."""

PACKETS = 1_000
"""Packets in the body of a polling request at the most: a page that polls sends all that its outbox has at once."""

OVERLAP = 50
"""Messages of one socket that are stored at once, at the most."""

LONGEST_PAUSE = 5.0
"""Seconds that a socket waits for its next event to be read, at the most."""

WAITING_BYTES = 2_000_000
"""What waits for a client that does not read, at the most."""

WAITING_FRAMES = 5_000
"""How many frames wait for a client that does not read, at the most."""

HANDSHAKE = 10.0
"""Seconds that a connection has until it is let in."""

UNAUTHENTICATED_CONNECTIONS = 500
"""Connections from one address at the most that are not let in yet."""

OPENING_BURST = 20
"""Seconds of its rate of new connections that an address may use up at once: a whole office comes back at once."""

OFFENCE = 20
"""New connections that one which ended for harm counts as."""

HELD = 100
"""Requests from one address at the most that are held before they are refused."""

HOLD = 1.0
"""Seconds that a request is held before it is refused: who asks again and again is slowed down."""


def packet_bytes(message_limit: int) -> int:
    """Give how many bytes a packet has at the most where a message has `message_limit` characters at the most.

    One of these, and a little more than allowed, is answered with what is wrong with it: a program may write an emoji
    as twelve bytes of JSON.
    """
    return max(PACKET_BYTES, 12 * message_limit + 4_096)


class TokenBucket:
    """What may be used at a rate, and at once as far as it was left unused for a while."""

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._at = time.monotonic()

    def consume(self, cost: float) -> float:
        """Use `cost` up, into debt if need be; give the seconds until the debt is paid.

        It is never more than what may be used at once: who stops to do harm is soon served again.
        """
        self._level = level = max(self._refill() - cost, -self._burst)
        return -level / self._rate if level < 0 else 0.0

    def try_consume(self, cost: float) -> bool:
        """Use `cost` up if it is there."""
        if self._refill() < cost:
            return False
        self._level -= cost
        return True

    @property
    def is_full(self) -> bool:
        """Tell whether nothing is used up."""
        return self._refill() >= self._burst

    def _refill(self) -> float:
        now = time.monotonic()
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        return self._level


class RateMeter:
    """What a socket has used of its own share, of its person's and of its address'."""

    __slots__ = ("_buckets",)

    def __init__(self, *buckets: TokenBucket) -> None:
        self._buckets = buckets

    def share(self, bucket: TokenBucket) -> None:
        """Let a bucket that is shared with others count too."""
        self._buckets += (bucket,)

    def consume(self, size: int) -> float:
        """Count a packet of `size` bytes; give the seconds to wait before the next one is read."""
        cost = max(1.0, size / COST_BYTES)
        pause = 0.0
        for bucket in self._buckets:
            pause = max(pause, bucket.consume(cost))
        return min(pause, LONGEST_PAUSE)


class TokenBuckets:
    """TokenBuckets by what they are of; those that are full are forgotten."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: dict[object, TokenBucket] = {}

    def __getitem__(self, key: object) -> TokenBucket:
        """Give the bucket of a person or an address."""
        if key not in self._buckets:
            if len(self._buckets) >= 10_000:
                self._buckets = {each: bucket for each, bucket in self._buckets.items() if not bucket.is_full}
            self._buckets[key] = TokenBucket(self._rate, self._burst)
        return self._buckets[key]
