"""Rendering of an assistant's Markdown, block by block, so that only the changed end of a growing answer is rendered.

The output of a model is as untrusted as that of a user: raw HTML and images stay text, and the rendered HTML is
sanitised.
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

MAX_HIGHLIGHTED_CHARS = 10_000
"""Longer blocks of code are not highlighted, because that takes too long."""

ALLOWED_TAGS = {
    *("a", "blockquote", "br", "button", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li"),
    *("ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
ALLOWED_ATTRIBUTES = {
    "a": {"href", "target", "title"},
    "button": {"class", "type", "data-copy-code"},
    "div": {"class"},
    "ol": {"start"},
    "pre": {"class", "tabindex"},
    "span": {"class"},
    "td": {"class"},
    "th": {"class"},
}

# While a link is incomplete, only its text is shown.
_INCOMPLETE_LINK = re.compile(r"!?\[([^\]\n]*)(\]\([^)\n]*)?$")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)

_FORMATTER = HtmlFormatter(nowrap=True, classprefix="hl-")


def _make_parser(*, linkify: bool) -> MarkdownIt:
    parser = MarkdownIt("gfm-like", {"html": False, "linkify": linkify, "breaks": True, "maxNesting": 20})
    if parser.linkify is not None:
        parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    # A reference may be defined after its use, so that a block would depend on later ones. An image would be a request
    # to a foreign server.
    parser.disable(["reference", "image"])
    parser.add_render_rule("link_open", _render_link)
    parser.add_render_rule("fence", _render_code)
    parser.add_render_rule("code_block", _render_code)
    return parser


def _render_link(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    href = str(tokens[index].attrGet("href") or "")
    if not href.startswith("/") or href.startswith("//"):
        tokens[index].attrSet("target", "_blank")
    return renderer.renderToken(tokens, index, options, env)


def _render_code(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType
) -> str:
    code, language = tokens[index].content, (tokens[index].info.split() or [""])[0]
    return (
        f'<div class="code"><div class="code-head"><span>{escape(language)}</span>'
        '<button class="button is-small" type="button" data-copy-code>Copy</button></div>'
        f'<pre tabindex="0"><code>{_highlight(code, language)}</code></pre></div>'
    )


def _highlight(code: str, language: str) -> str:
    if language and len(code) <= MAX_HIGHLIGHTED_CHARS:
        try:
            return str(highlight(code, get_lexer_by_name(language, stripnl=False), _FORMATTER))
        except ClassNotFound:
            pass
    return str(escape(code))


_LINKIFYING_PARSER = _make_parser(linkify=True)
_PARSER = _make_parser(linkify=False)


def _parse(text: str) -> list[Token]:
    # Finding bare URLs takes longer than the rest of parsing, and each of them contains this.
    return (_LINKIFYING_PARSER if "://" in text else _PARSER).parse(text)


@lru_cache(maxsize=500)
def render_blocks(text: str) -> tuple[Markup, ...]:
    """Render a text as one piece of HTML for each of its blocks (paragraph, list, block of code)."""
    tokens = _parse(_normalize(text))
    return tuple(_render(tokens[start:end]) for start, end in _find_blocks(tokens))


class GrowingMarkdown:
    """Renders a text that grows at its end. Blocks that can no longer change (settled blocks) are rendered once."""

    def __init__(self) -> None:
        self._settled_blocks = 0
        self._settled_length = 0

    def grow(self, text: str) -> tuple[int, Sequence[Markup]]:
        """Return the index of the first block that may have changed, and the HTML of that block and all later ones.

        `text` is the whole text; it must begin with the text of the previous call.
        """
        tail = _normalize(text)[self._settled_length :]
        start = self._settled_blocks
        tokens = _parse(tail)
        blocks = _find_blocks(tokens)
        settled: list[Markup] = []
        if len(blocks) > 1:
            last_block = tokens[blocks[-1][0]]
            line = (last_block.map or [0])[0]
            offset = len("".join(tail.splitlines(keepends=True)[:line])) if line else 0
            # Until its first lines are complete, the last block may still become part of the previous one.
            needed_lines = 2 if last_block.type == "table_open" else 1
            if offset and tail.count("\n", offset) >= needed_lines:
                settled = [_render(tokens[begin:end]) for begin, end in blocks[:-1]]
                self._settled_blocks += len(settled)
                self._settled_length += offset
                tail = tail[offset:]
        growing = _parse(_close_open_markup(tail))
        return start, [*settled, *(_render(growing[begin:end]) for begin, end in _find_blocks(growing))]


def _normalize(text: str) -> str:
    # The parser ends a line only at these, `splitlines` also at the other characters.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub("[\x00\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", " ", text)


def _close_open_markup(tail: str) -> str:
    """Close code and bold text that is still open at the end, so that it is rendered now as it will be later."""
    if len(_FENCE.findall(tail)) % 2:
        return tail
    body, separator, last = tail.rpartition("\n")
    last = _INCOMPLETE_LINK.sub(r"\1", last)
    for mark in ("`", "**"):
        if last.count(mark) % 2:
            return f"{body}{separator}{last.removesuffix(mark)}{'' if last.endswith(mark) else mark}"
    return f"{body}{separator}{last}"


def _find_blocks(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Return the first index and the end index of each top-level block."""
    starts = [index for index, token in enumerate(tokens) if token.level == 0 and token.nesting >= 0]
    return list(pairwise([*starts, len(tokens)]))


def _render(tokens: Sequence[Token]) -> Markup:
    html = _PARSER.renderer.render(tokens, _PARSER.options, {})
    clean = nh3.clean(
        html,
        tags=ALLOWED_TAGS,
        attributes=ALLOWED_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return Markup(clean)  # noqa: S704 - sanitised
