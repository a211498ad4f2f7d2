"""Signals of custom emoji, sent after the commit."""

from collections.abc import Sequence

from chatapp.custom_emoji.queries import EmojiImage
from chatapp.signals import Signal

custom_emoji_changed: Signal[Sequence[EmojiImage]] = Signal("custom-emoji-changed")
"""All custom emoji, as they are now. They may be the same as before."""
