"""Messages as clients receive them, each rendered and encoded once for all who read it."""

from collections import OrderedDict
from dataclasses import dataclass
from sys import getsizeof

import orjson
from markupsafe import Markup

from chatapp.timeline import TimelineMessage

MAX_BYTES = 16_000_000
"""Approximate size of the messages in a cache: about 5,000 messages of ordinary length."""

BYTES_PER_MESSAGE = 1_500
"""Approximate size of a `TimelineMessage` without its content, and of its entry in a cache."""


@dataclass(frozen=True, slots=True)
class PresentedMessage:
    """A message as events carry it (see `docs/protocol.md`) and as pages show it."""

    json: bytes
    """The message as a JSON object, without its HTML."""
    html: Markup
    """The message as HTML, the same for all users."""

    @property
    def without_html(self) -> orjson.Fragment:
        """The message as a value for `orjson.dumps`."""
        return orjson.Fragment(self.json)

    @property
    def with_html(self) -> orjson.Fragment:
        """The message with its HTML as a value for `orjson.dumps`."""
        return orjson.Fragment(b'%s,"html":%s}' % (self.json[:-1], orjson.dumps(self.html)))


class MessageCache:
    """Presented messages, of bounded size. The one that was used least recently is evicted first.

    The key is the message with all that is shown of it, so that no entry is ever out of date: a message that was read
    after somebody was renamed, or from a restored database that reuses ids, is another key.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[TimelineMessage, PresentedMessage] = OrderedDict()
        self.bytes = 0
        """Approximate size of the entries."""
        self.hits = self.misses = 0

    def get(self, message: TimelineMessage) -> PresentedMessage | None:
        """Return the presented message, if the cache has it."""
        presented = self._entries.get(message)
        if presented is None:
            self.misses += 1
            return None
        self.hits += 1
        try:  # noqa: SIM105 - `suppress` takes longer than the rest
            self._entries.move_to_end(message)
        except KeyError:
            pass  # Another thread has just evicted it.
        return presented

    def add(self, message: TimelineMessage, presented: PresentedMessage) -> None:
        """Add a presented message, and evict others if the cache is full."""
        if message in self._entries:
            return  # Another thread was faster.
        self._entries[message] = presented
        self.bytes += _size(message, presented)
        while self.bytes > self._max_bytes and self._entries:
            self.bytes -= _size(*self._entries.popitem(last=False))


def _size(message: TimelineMessage, presented: PresentedMessage) -> int:
    return BYTES_PER_MESSAGE + getsizeof(message.content) + len(presented.json) + getsizeof(presented.html)
