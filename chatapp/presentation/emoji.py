"""Custom emoji as images, and messages that consist of a few emoji.

Such messages are shown larger. `static/js/core/emoji.js` has the same rule, but for custom emoji.
"""

import re
from collections.abc import Container

from markupsafe import Markup

from chatapp.custom_emoji.queries import EmojiImage
from chatapp.markdown.emoji_names import EMOJI_NAME, replace_names
from chatapp.presentation import resources

MAX_EMOJI = 3

_LONGEST = 60
"""Maximum length of such a message, with white space: some emoji consist of a dozen characters."""

_LONGEST_NAMES = 220

_ANY_EMOJI = "\u2b50"
"""Stands for a custom emoji."""

_IMAGE = Markup(
    '<img class="custom-emoji" src="{url}" alt="{text}"{title} width="{width}" height="{height}" decoding="async">'
)

_TITLE = Markup(' title="{text}"')

# An animated one stands still for people who want less motion.
_ANIMATED = Markup('<picture><source media="(prefers-reduced-motion: reduce)" srcset="{still_url}">{image}</picture>')

# Characters that are emoji of their own, and those that are only before a variation selector.
_PICTURE = (
    "[\U0001f300-\U0001f64f\U0001f680-\U0001f6ff\U0001f7e0-\U0001f7eb\U0001f90c-\U0001f9ff\U0001fa70-\U0001faff"
    "\u231a\u231b\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2614\u2615\u2648-\u2653\u267f\u2693\u26a1\u26aa\u26ab\u26bd\u26be"
    "\u26c4\u26c5\u26ce\u26d4\u26ea\u26f2\u26f3\u26f5\u26fa\u26fd\u2705\u270a\u270b\u2728\u274c\u274e\u2753-\u2755\u2757"
    "\u2795-\u2797\u27b0\u27bf\u2b1b\u2b1c\u2b50\u2b55]"
)
_SYMBOL = "[\u00a9\u00ae\u203c\u2049\u2122-\u2bff\u3030\u303d\u3297\u3299\U0001f100-\U0001f251]"
_PART = f"(?:{_PICTURE}\ufe0f?|{_SYMBOL}\ufe0f)[\U0001f3fb-\U0001f3ff]?[\U000e0020-\U000e007f]*"
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
_KEY = "[0-9#*]\ufe0f\u20e3"
_PERSON = f"(?:{_PART}|[\u2600-\u27bf][\U0001f3fb-\U0001f3ff])"
_EMOJI = f"(?:{_FLAG}|{_KEY}|{_PERSON}(?:\u200d(?:{_PERSON}|{_SYMBOL}\ufe0f?))*)"
_FEW_EMOJI = re.compile(rf"\s*(?:{_EMOJI}\s*){{1,{MAX_EMOJI}}}")


def is_few_emoji(content: str, custom_names: Container[str] = ()) -> bool:
    """Return whether a text consists of one to `MAX_EMOJI` emoji, or of their names."""
    if content[:1] == ":" and len(content) <= _LONGEST_NAMES:
        content = replace_names(content)
        content = EMOJI_NAME.sub(lambda match: _ANY_EMOJI if match[1] in custom_names else match[0], content)
    return len(content) <= _LONGEST and not content.isascii() and _FEW_EMOJI.fullmatch(content) is not None


def render_emoji(emoji: EmojiImage, *, has_title: bool = True) -> Markup:
    """Return the image of a custom emoji. Without a title it shows that of the element around it."""
    title = _TITLE.format(text=emoji.text) if has_title else ""
    image = _IMAGE.format(url=emoji.url, text=emoji.text, title=title, width=emoji.width, height=emoji.height)
    return _ANIMATED.format(still_url=emoji.still_url, image=image) if emoji.is_animated else image


def present_emoji(emoji: EmojiImage) -> resources.CustomEmoji:
    """Return a custom emoji as the API and pages' scripts get it."""
    return {
        "name": emoji.name,
        "url": emoji.url,
        "still_url": emoji.still_url,
        "width": emoji.width,
        "height": emoji.height,
    }
