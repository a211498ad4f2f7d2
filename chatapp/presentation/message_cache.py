"""Messages as clients receive them, each rendered and encoded once for all who read it."""

from dataclasses import dataclass
from sys import getsizeof

import orjson
from markupsafe import Markup

from chatapp.caches import SizedCache
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
    is_final: bool = True
    """Whether the HTML is formatted. Otherwise it shows Markdown as it is written."""

    @property
    def without_html(self) -> orjson.Fragment:
        """The message as a value for `orjson.dumps`."""
        return orjson.Fragment(self.json)

    @property
    def with_html(self) -> orjson.Fragment:
        """The message with its HTML as a value for `orjson.dumps`."""
        return orjson.Fragment(b'%s,"html":%s}' % (self.json[:-1], orjson.dumps(self.html)))


class MessageCache(SizedCache[TimelineMessage, PresentedMessage]):
    """Presented messages.

    The key is the message with all that is shown of it: a message that was read after somebody was renamed, or from a
    restored database that reuses ids, is another key.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(max_bytes, _size)

    @property
    def bytes(self) -> int:
        """The approximate size of the entries."""
        return self.size


def _size(message: TimelineMessage, presented: PresentedMessage) -> int:
    return BYTES_PER_MESSAGE + getsizeof(message.content) + len(presented.json) + getsizeof(presented.html)
