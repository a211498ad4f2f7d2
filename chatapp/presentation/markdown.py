"""Markdown as assistants write it, block by block, so that a growing answer is drawn only where it grows.

What a model says is as untrusted as what anybody else says: raw HTML and pictures stay text, and what comes out is
sanitised once more.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

HIGHLIGHTED = 10_000
"""Characters of a block of code that get their colours; more would take long."""

TAGS = {
    *("a", "blockquote", "br", "button", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li"),
    *("ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
ATTRIBUTES = {
    "a": {"href", "target", "title"},
    "button": {"class", "type", "data-copy-code"},
    "div": {"class"},
    "ol": {"start"},
    "pre": {"class", "tabindex"},
    "span": {"class"},
    "td": {"class"},
    "th": {"class"},
}

# What an answer has only begun to write would jump when it is finished.
_BEGUN_LINK = re.compile(r"!?\[([^\]\n]*)(\]\([^)\n]*)?$")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)

_FORMATTER = HtmlFormatter(nowrap=True, classprefix="hl-")


def _make_parser(*, finds_addresses: bool) -> MarkdownIt:
    parser = MarkdownIt("gfm-like", {"html": False, "linkify": finds_addresses, "breaks": True, "maxNesting": 20})
    if parser.linkify is not None:
        parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    # A reference may be defined after its use: a block would depend on those below it. Pictures would be fetched.
    parser.disable(["reference", "image"])
    parser.add_render_rule("link_open", _open_link)
    parser.add_render_rule("fence", _draw_code)
    parser.add_render_rule("code_block", _draw_code)
    return parser


def _open_link(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    href = str(tokens[index].attrGet("href") or "")
    if not href.startswith("/") or href.startswith("//"):
        tokens[index].attrSet("target", "_blank")
    return renderer.renderToken(tokens, index, options, env)


def _draw_code(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType
) -> str:
    code, language = tokens[index].content, (tokens[index].info.split() or [""])[0]
    return (
        f'<div class="code"><div class="code-head"><span>{escape(language)}</span>'
        '<button class="button is-small" type="button" data-copy-code>Copy</button></div>'
        f'<pre tabindex="0"><code>{_coloured(code, language)}</code></pre></div>'
    )


def _coloured(code: str, language: str) -> str:
    if language and len(code) <= HIGHLIGHTED:
        try:
            return str(highlight(code, get_lexer_by_name(language, stripnl=False), _FORMATTER))
        except ClassNotFound:
            pass
    return str(escape(code))


_PARSER = _make_parser(finds_addresses=True)
_PLAIN_PARSER = _make_parser(finds_addresses=False)


def _parse(text: str) -> list[Token]:
    # To look for addresses takes longer than everything else, and those that are found have this in them.
    return (_PARSER if "://" in text else _PLAIN_PARSER).parse(text)


@lru_cache(maxsize=500)
def render_blocks(text: str) -> tuple[Markup, ...]:
    """Draw a text, a piece of HTML for each of its blocks: a paragraph, a list, a block of code."""
    tokens = _parse(_normal(text))
    return tuple(_draw(tokens[start:end]) for start, end in _blocks(tokens))


class GrowingMarkdown:
    """A text to which something is added again and again. Blocks that can change no more are drawn once."""

    def __init__(self) -> None:
        self._settled_blocks = 0
        self._settled_length = 0

    def grow(self, text: str) -> tuple[int, Sequence[Markup]]:
        """Give the blocks of `text`, which continues the one before, from the first that may have changed on.

        With the place of that one.
        """
        tail = _normal(text)[self._settled_length :]
        place = self._settled_blocks
        tokens = _parse(tail)
        blocks = _blocks(tokens)
        drawn: list[Markup] = []
        if len(blocks) > 1:
            line = (tokens[blocks[-1][0]].map or [0])[0]
            begin = len("".join(tail.splitlines(keepends=True)[:line])) if line else 0
            # Until what begins it is whole, the last block may turn out to belong to the one before.
            needed = 2 if tokens[blocks[-1][0]].type == "table_open" else 1
            if begin and tail.count("\n", begin) >= needed:
                drawn = [_draw(tokens[start:end]) for start, end in blocks[:-1]]
                self._settled_blocks += len(drawn)
                self._settled_length += begin
                tail = tail[begin:]
        mended = _parse(_mended(tail))
        return place, [*drawn, *(_draw(mended[start:end]) for start, end in _blocks(mended))]


def _normal(text: str) -> str:
    # Only these are ends of lines to the parser; the others would be to `splitlines`.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub("[\x00\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", " ", text)


def _mended(tail: str) -> str:
    """Close what the end of an unfinished text has opened, so that it does not change its looks when it is closed."""
    if len(_FENCE.findall(tail)) % 2:
        return tail
    body, separator, last = tail.rpartition("\n")
    last = _BEGUN_LINK.sub(r"\1", last)
    for mark in ("`", "**"):
        if last.count(mark) % 2:
            return f"{body}{separator}{last.removesuffix(mark)}{'' if last.endswith(mark) else mark}"
    return f"{body}{separator}{last}"


def _blocks(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Give where each block at the top begins and ends among the tokens."""
    starts = [index for index, token in enumerate(tokens) if token.level == 0 and token.nesting >= 0]
    return list(pairwise([*starts, len(tokens)]))


def _draw(tokens: Sequence[Token]) -> Markup:
    html = _PARSER.renderer.render(tokens, _PARSER.options, {})
    clean = nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return Markup(clean)  # noqa: S704 - sanitised
