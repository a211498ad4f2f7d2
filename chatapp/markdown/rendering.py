"""Rendering of Markdown, block by block, so that only the changed end of a growing answer is rendered.

The output of a model is as untrusted as that of a user: raw HTML and images stay text, and the rendered HTML is
sanitised.
"""

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import nh3
from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock, table
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup

from chatapp.markdown.extensions import add_extensions
from chatapp.markdown.html_rules import add_html_rules
from chatapp.markdown.marks import Marks
from chatapp.markdown.plain import normalize, render_plain
from chatapp.markdown.time_budget import BudgetExceeded, TimeBudget

RENDER_SECONDS = 0.03
"""Budget for each 10,000 characters of a text. Ordinary text needs a quarter of it."""

HIGHLIGHT_SECONDS = 0.012
"""Budget for all code of a text. The code that remains is shown without highlighting."""

BUDGETED_CHARS = 10_000
MAX_BUDGETS = 3
"""A text has at most the budget of so many times `BUDGETED_CHARS`, so that the event loop is not held up for longer."""

MAX_COLUMNS = 20
"""A table with more columns is shown as text. A short row gets an empty cell for each column that it lacks."""

ALLOWED_TAGS = {
    *("a", "blockquote", "br", "button", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li"),
    *("input", "ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
ALLOWED_ATTRIBUTES = {
    "a": {"href", "target", "title"},
    "button": {"aria-expanded", "class", "data-fold", "type", "data-copy-code", "data-spoiler"},
    "div": {"class", "tabindex"},
    "input": {"aria-label", "checked", "disabled", "type"},
    "li": {"class"},
    "ol": {"start"},
    "pre": {"class", "tabindex"},
    "span": {"class", "data-emoji", "data-mention", "tabindex"},
    "td": {"class"},
    "th": {"class"},
}

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)

NORMAL_URL = re.compile(r"https?://(?![a-z0-9.-]{256})[a-z0-9]+(?:[.-][a-z0-9]+)*(?:/[a-zA-Z0-9/._~-]*)?")
"""URLs that normalization does not change, as most are. Skipping it saves a tenth of the time of a message with a link.

A host of more than 255 characters is excluded: normalization removes such a URL.
"""

_HOST = re.compile(r"((?:https?:)?//)([^/?#@]*@)?([^/?#]*)", re.IGNORECASE)

_CLEANER = nh3.Cleaner(
    tags=ALLOWED_TAGS,
    attributes=ALLOWED_ATTRIBUTES,
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
)


class _Parser(MarkdownIt):
    def normalizeLink(self, url: str) -> str:  # noqa: N802 - the parser's name
        return url if NORMAL_URL.fullmatch(url) else super().normalizeLink(_lower_host(url))


def _make_parser() -> MarkdownIt:
    parser = _Parser("gfm-like", {"html": False, "linkify": False, "breaks": True, "maxNesting": 20, "tasklists": True})
    # A reference may be defined after its use, so that a block would depend on later ones. An image would be a request
    # to a foreign server.
    parser.disable(["reference", "image", "linkify"])
    parser.core.ruler.at("text_join", _join_text)
    parser.block.ruler.at("code", _parse_indented)
    parser.block.ruler.at("table", _parse_table, {"alt": ["paragraph", "reference"]})
    # Before every other rule, so that it is called at each step.
    alternatives: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list", "table"]}
    parser.block.ruler.before("table", "budget", _check_block, alternatives)
    parser.inline.ruler.before("text", "budget", _check_inline)
    add_extensions(parser)
    add_html_rules(parser)
    return parser


def _lower_host(url: str) -> str:
    """Return a URL with scheme and host in small letters, if it has letters that are not ASCII: Punycode keeps case."""
    match = None if url.isascii() else _HOST.match(url)
    if match is None:
        return url
    scheme, user, host = match.groups(default="")
    return f"{scheme.lower()}{user}{host.lower()}{url[match.end() :]}"


def _check_block(state: StateBlock, _start_line: int, _end_line: int, _silent: bool) -> bool:  # noqa: FBT001 - a rule
    state.env["budget"].check()
    return False


def _check_inline(state: StateInline, _silent: bool) -> bool:  # noqa: FBT001 - a rule
    state.env["budget"].check()
    return False


def _join_text(state: StateCore) -> None:
    """Join adjacent text. Characters that are escaped stay apart, so that no link and no mention contains them."""
    for block in state.tokens:
        joined: list[Token] = []
        for token in block.children or ():
            if token.type == "text_special" and token.content == token.markup:
                token.type = "text"  # A backslash that escapes nothing.
            if token.type == "text" and joined and joined[-1].type == "text":
                joined[-1].content += token.content
            else:
                joined.append(token)
        if block.children:
            block.children = joined


def _parse_indented(_state: StateBlock, _start_line: int, _end_line: int, _silent: bool) -> bool:  # noqa: FBT001 - a rule
    """Leave indented lines to the paragraph: they are usually text that was pasted. Other rules do not look at them."""
    return False


def _parse_table(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:  # noqa: FBT001 - a rule
    """Parse a table, unless its first row has so many columns that empty cells are added to each other row."""
    if end_line > start_line + 1:
        columns = state.src.count("|", state.bMarks[start_line + 1], state.eMarks[start_line + 1]) + 1
        if columns > MAX_COLUMNS:
            return False
    return table(state, start_line, end_line, silent)


_PARSER = _make_parser()


def render(text: str, mentioned: Iterable[str] = ()) -> tuple[Markup, ...]:
    """Render a text as one piece of HTML for each of its blocks. One that takes too long is shown as it is written.

    The names that are `mentioned` are highlighted.
    """
    budgets = min(MAX_BUDGETS, math.ceil(len(text) / BUDGETED_CHARS))
    return render_within(text, TimeBudget(budgets * RENDER_SECONDS), TimeBudget(HIGHLIGHT_SECONDS), mentioned)


def render_quickly(text: str, seconds: float, mentioned: Iterable[str] = ()) -> tuple[Markup, ...] | None:
    """Render a text completely, its code included; return None if that takes longer than `seconds`."""
    budget = TimeBudget(seconds)
    highlight_budget = TimeBudget(seconds)
    try:
        with budget:
            renderer = _Renderer(budget, highlight_budget, Marks(frozenset(mentioned)))
            blocks = tuple(renderer.render_all(normalize(text)))
    except BudgetExceeded:
        return None
    return None if highlight_budget.is_exceeded else blocks


def render_within(
    text: str, budget: TimeBudget, highlight_budget: TimeBudget, mentioned: Iterable[str] = ()
) -> tuple[Markup, ...]:
    """Render a text within budgets."""
    renderer = _Renderer(budget, highlight_budget, Marks(frozenset(mentioned)))
    try:
        with budget:
            return tuple(renderer.render_all(normalize(text)))
    except BudgetExceeded:
        return (render_plain(text),)


class _Renderer:
    """Parses and renders within budgets."""

    def __init__(self, budget: TimeBudget, highlight_budget: TimeBudget, marks: Marks) -> None:
        self._budget = budget
        self._env = {"budget": budget, "highlight_budget": highlight_budget, "marks": marks, "is_in_link": False}

    def parse(self, text: str) -> list[Token]:
        return _PARSER.parse(text, self._env)

    def render(self, tokens: Sequence[Token]) -> Markup:
        """Render one block."""
        self._budget.check()
        html = _PARSER.renderer.render(tokens, _PARSER.options, self._env)
        return Markup(_CLEANER.clean(html))  # noqa: S704 - sanitised

    def render_all(self, text: str) -> list[Markup]:
        tokens = self.parse(text)
        return [self.render(tokens[start:end]) for start, end in _find_blocks(tokens)]


class GrowingMarkdown:
    """Renders a text that grows at its end. Blocks that can no longer change (settled blocks) are rendered once.

    Once the rest after them takes too long, it is shown as it is written until the text is complete.
    """

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self._clock = clock
        self._settled_blocks = 0
        self._settled_length = 0
        self._is_plain = False
        self._marks = Marks()
        """What the settled blocks have left."""

    def grow(self, text: str) -> tuple[int, Sequence[Markup]]:
        """Return the index of the first block that may have changed, and the HTML of that block and all later ones.

        `text` is the whole text; it must begin with the text of the previous call.
        """
        tail = normalize(text)[self._settled_length :]
        start = self._settled_blocks
        if not self._is_plain:
            budget = TimeBudget(RENDER_SECONDS, self._clock)
            try:
                with budget:
                    return start, self._render(tail, budget, TimeBudget(HIGHLIGHT_SECONDS, self._clock))
            except BudgetExceeded:
                self._is_plain = True
        return start, [render_plain(tail)]

    def _render(self, tail: str, budget: TimeBudget, highlight_budget: TimeBudget) -> list[Markup]:
        renderer = _Renderer(budget, highlight_budget, self._marks)
        tokens = renderer.parse(tail)
        blocks = _find_blocks(tokens)
        settled: list[Markup] = []
        settled_length = 0
        if len(blocks) > 1:
            last_block = tokens[blocks[-1][0]]
            line = (last_block.map or [0])[0]
            offset = len("".join(tail.splitlines(keepends=True)[:line])) if line else 0
            # Until its first lines are complete, the last block may still become part of the previous one.
            needed_lines = 2 if last_block.type == "table_open" else 1
            if offset and tail.count("\n", offset) >= needed_lines:
                settled = [renderer.render(tokens[begin:end]) for begin, end in blocks[:-1]]
                settled_length = offset
        # It is rendered again.
        renderer = _Renderer(budget, highlight_budget, replace(self._marks))
        growing = renderer.render_all(_close_open_markup(tail[settled_length:]))
        self._settled_blocks += len(settled)
        self._settled_length += settled_length
        return [*settled, *growing]


def _close_open_markup(tail: str) -> str:
    """Close code and bold text that is still open at the end, so that it is rendered now as it will be later."""
    if len(_FENCE.findall(tail)) % 2:
        return tail
    body, separator, last = tail.rpartition("\n")
    last = _unwrap_incomplete_link(last)
    for mark in ("`", "**"):
        if last.count(mark) % 2:
            return f"{body}{separator}{last.removesuffix(mark)}{'' if last.endswith(mark) else mark}"
    return f"{body}{separator}{last}"


def _unwrap_incomplete_link(line: str) -> str:
    """Show only the text of a link whose end is missing: of `see [the plan](/conv`, `see the plan`.

    Written without a regular expression: one would look for the end again at each bracket.
    """
    target = line.find("](", line.rfind(")") + 1)
    while target != -1:
        if (unwrapped := _unwrap(line, target)) is not None:
            return unwrapped
        target = line.find("](", target + 1)
    unwrapped = _unwrap(line, len(line))
    return line if unwrapped is None else unwrapped


def _unwrap(line: str, end: int) -> str | None:
    """Return the line up to `end` without the bracket before the text that ends there; None if there is no bracket."""
    start = line.find("[", line.rfind("]", 0, end) + 1, end)
    return None if start == -1 else line[:start].removesuffix("!") + line[start + 1 : end]


def _find_blocks(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Return the first index and the end index of each top-level block."""
    starts = [index for index, token in enumerate(tokens) if token.level == 0 and token.nesting >= 0]
    return list(pairwise([*starts, len(tokens)]))


def parse(text: str, seconds: float) -> list[Token] | None:
    """Return the tokens of a text. Return None if that takes too long."""
    budget = TimeBudget(seconds)
    try:
        with budget:
            return _Renderer(budget, TimeBudget(seconds), Marks()).parse(normalize(text))
    except BudgetExceeded:
        return None


def normalize_url(url: str) -> str:
    """Return a URL in ASCII, as links have it."""
    return _PARSER.normalizeLink(url)


def extract_text(text: str, seconds: float) -> str | None:
    """Return the text as it is read, without markup and without spoilers. Return None if that takes too long."""
    if (tokens := parse(text, seconds)) is None:
        return None
    parts: list[str] = []
    for token in tokens:
        if "checked" in token.meta:
            parts.append("☑ " if token.meta["checked"] else "☐ ")
        elif token.type == "inline":
            parts += *_extract_inline(token.children or ()), "\n"
        elif token.type == "fence":
            parts += token.content, "\n"
    return "".join(parts)


def _extract_inline(tokens: Iterable[Token]) -> Iterator[str]:
    is_in_spoiler = False
    for token in tokens:
        if token.type == "spoiler_open":
            is_in_spoiler = True
            yield "(spoiler)"
        elif token.type == "spoiler_close":
            is_in_spoiler = False
        elif not is_in_spoiler:
            yield "\n" if token.type in {"softbreak", "hardbreak"} else token.content
