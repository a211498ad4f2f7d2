"""What is marked in text of people, bots and assistants, inside and outside of Markdown: links and mentions."""

from dataclasses import dataclass

from markupsafe import Markup

from chatapp.markdown.links import render_links
from chatapp.mention_names import find_mentions

MAX_MENTIONS = 100
"""Maximum number of highlighted mentions in the body of a message. The others are plain text."""

MAX_LINKS = 100
"""Maximum number of links in the body of a message that have no markup. The others are plain text."""

_MENTION = Markup('<span class="mention" data-mention="{name}">{text}</span>')


@dataclass(slots=True)
class Marks:
    """The names that are highlighted in a text, and how many marks may follow."""

    names: frozenset[str] = frozenset()
    links_left: int = MAX_LINKS
    mentions_left: int = MAX_MENTIONS

    def render(self, text: str) -> Markup:
        """Escape a part of the text without markup, with its links and mentions."""
        if not self.names or "@" not in text:
            return self._render_links(text)
        parts: list[Markup] = []
        end = 0
        for match in find_mentions(text):
            if not self.mentions_left:
                break
            if (name := match[1].lower()) in self.names:
                self.mentions_left -= 1
                parts += self._render_links(text[end : match.start()]), _MENTION.format(name=name, text=match[0])
                end = match.end()
        return Markup("").join([*parts, self._render_links(text[end:])]) if parts else self._render_links(text)

    def _render_links(self, text: str) -> Markup:
        if not text:
            return Markup()
        html, self.links_left = render_links(text, self.links_left)
        return html
