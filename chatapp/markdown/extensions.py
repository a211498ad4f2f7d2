"""What chatapp adds to Markdown: spoilers, emoji by name, and URLs without markup.

A spoiler, `||hidden||`, is hidden until somebody wants to see it.
"""

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from chatapp.markdown.emoji_names import CUSTOM_EMOJI_NAME, EMOJI_NAME, load_emoji, mark_custom_emoji

_SPOILER = "||"

# What may be before a URL: nothing else of its word, apart from markup and opening brackets.
_SCHEME = re.compile(r"(?:^|(?<=\s)|(?<=\*)|(?<=~~)|(?<=\|\|)|(?<=(?<!\w)_))[(<]{0,9}(https?)\Z", re.IGNORECASE)
_MAX_BEFORE = 16
_URL = re.compile(r"(?:(?!\*\*|~~|\|\||\]\()[^\s`])+")


def add_extensions(parser: MarkdownIt) -> None:
    """Add the rules to a parser."""
    parser.inline.add_terminator_char("|")
    parser.inline.ruler.before("escape", "url", _parse_url)
    parser.inline.ruler.before("escape", "emoji", _parse_emoji)
    parser.inline.ruler.before("emphasis", "spoiler", _parse_spoiler)
    parser.add_render_rule("custom_emoji", _render_custom_emoji)
    parser.add_render_rule("spoiler_open", _render_spoiler_open)
    parser.add_render_rule("spoiler_close", _render_spoiler_close)


def _parse_url(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - a rule
    """Take a URL as it is: it may contain characters with a meaning."""
    position = state.pos
    if not state.src.startswith("://", position, state.posMax):
        return False
    scheme = _SCHEME.search(state.src, max(position - _MAX_BEFORE, 0), position)
    url = _URL.match(state.src, position, state.posMax)
    if scheme is None or url is None:
        return False
    rest = url[0].rstrip("*_")
    if not silent:
        state.pending = state.pending[: -len(scheme[1])]
        token = state.push("url", "", 0)
        token.content = scheme[1] + rest
    state.pos += len(rest)
    return True


def _parse_emoji(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - a rule
    if state.src[state.pos] != ":":  # Called for every character: this is faster than the pattern.
        return False
    match = EMOJI_NAME.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    with state.env["budget"].paused():  # The first name of all loads the table.
        emoji = load_emoji().get(match[1])
    if emoji is None and CUSTOM_EMOJI_NAME.match(state.src, state.pos, state.posMax) is None:
        return False
    if not silent:
        if emoji is None:
            state.push("custom_emoji", "span", 0).content = match[0]
        else:
            state.append_pending(emoji)
    state.pos = match.end()
    return True


def _render_custom_emoji(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType
) -> str:
    return mark_custom_emoji(tokens[index].content)


def _parse_spoiler(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - a rule
    start = state.pos + len(_SPOILER)
    if not state.src.startswith(_SPOILER, state.pos, state.posMax):
        return False
    end = _find_end(state, start)
    if end is None or not state.src[start:end].strip():
        return False
    if not silent:
        maximum = state.posMax
        state.push("spoiler_open", "span", 1)
        state.pos, state.posMax = start, end
        state.md.inline.tokenize(state)
        state.posMax = maximum
        state.push("spoiler_close", "span", -1)
    state.pos = end + len(_SPOILER)
    return True


def _find_end(state: StateInline, start: int) -> int | None:
    """Return the end of the spoiler that begins at `start`: not in code, and not escaped."""
    position, state.pos = state.pos, start
    while state.pos < state.posMax and not state.src.startswith(_SPOILER, state.pos, state.posMax):
        state.md.inline.skipToken(state)
    end, state.pos = state.pos, position
    return end if end < state.posMax else None


def _render_spoiler_open(
    _renderer: RendererHTML, _tokens: Sequence[Token], _index: int, _options: OptionsDict, _env: EnvType
) -> str:
    return (
        '<span class="spoiler"><button class="spoiler-button" type="button" data-spoiler>Spoiler</button>'
        '<span class="spoiler-text" tabindex="-1">'
    )


def _render_spoiler_close(
    _renderer: RendererHTML, _tokens: Sequence[Token], _index: int, _options: OptionsDict, _env: EnvType
) -> str:
    return "</span></span>"
