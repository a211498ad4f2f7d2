"""Syntax highlighting of code in answers: only languages whose lexer is fast for any text, and within a time budget.

Pygments has hundreds of lexers, and some need seconds for one match of a regular expression. `bin/bench rendering`
measures the ones that are allowed here with hostile text.
"""

import re
from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from chatapp.markdown.time_budget import BudgetExceeded, TimeBudget

# The first code that is highlighted imports Pygments, not the start.
if TYPE_CHECKING:
    from pygments.formatter import Formatter
    from pygments.lexer import Lexer

MAX_HIGHLIGHTED_CHARS = 4_000
"""Longer blocks of code are not highlighted. The time of some matches grows with the square of the length."""

LEXERS = {
    "bash": ("sh", "shell", "zsh"),
    "css": (),
    "diff": ("patch", "udiff"),
    "docker": ("dockerfile",),
    "go": ("golang",),
    "html": (),
    "java": (),
    "javascript": ("js", "mjs"),
    "json": (),
    "python": ("py", "python3"),
    "rust": ("rs",),
    "sql": (),
    "toml": (),
    "typescript": ("ts",),
    "xml": ("svg",),
    "yaml": ("yml",),
}
"""The allowed lexers with their further names."""

_CANONICAL = {name: lexer for lexer, others in LEXERS.items() for name in (lexer, *others)}

# Many lexers look for the end of white space from each of its characters.
_LONG_SPACE = re.compile(r"\s{100}")


def highlight(code: str, language: str, budget: TimeBudget) -> Markup:
    """Return the code as HTML, highlighted if its language is allowed, it is short, and the budget suffices."""
    lexer_name = _CANONICAL.get(language.lower())
    if lexer_name and len(code) <= MAX_HIGHLIGHTED_CHARS and not _LONG_SPACE.search(code):
        from pygments import format as format_tokens

        lexer, formatter = _get_lexer(lexer_name), _get_formatter()
        try:
            with budget:
                tokens = budget.limit(lexer.get_tokens(code))
                return Markup(format_tokens(tokens, formatter))  # noqa: S704 - the formatter escapes
        except BudgetExceeded:
            pass
    return escape(code)


@cache
def _get_formatter() -> "Formatter[str]":
    from pygments.formatters import HtmlFormatter

    return HtmlFormatter(nowrap=True, classprefix="hl-")


@cache
def _get_lexer(name: str) -> "Lexer":
    from pygments.lexers import get_lexer_by_name

    # Preparing the regular expressions of a lexer takes up to 50 ms, once.
    return get_lexer_by_name(name, stripnl=False)
