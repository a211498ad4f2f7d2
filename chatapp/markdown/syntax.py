r"""A quick check whether a text may contain Markdown.

Most messages contain none, and are shown without the parser. The check is linear, and errs on one side only: a text
without anything that it finds is the same with the parser (`tests/unit/markdown/test_syntax.py`), but for white space,
which the parser does not keep.
"""

import re

_BLOCK = (
    r"(?:[ ]{0,3}(?:"
    r"\#{1,6}(?:[ \t\n]|\Z)"  # a heading
    r"|>"  # a quote
    r"|(?:[-+]|\d{1,9}[.)])(?:[ \t\n]|\Z)"  # a list
    r"|(?:=+|-+)[ \t]*(?:\n|\Z)"  # underlines the line before, or divides
    r")"
    r"|[ \t|:]*-[-:| \t]*(?:\n|\Z)"  # the second line of a table
    r")"
)

_FIRST_LINE = re.compile(_BLOCK)

# Patterns that begin with a fixed character are searched much faster.
_LATER_LINE = re.compile(rf"\n{_BLOCK}")
_EMPHASIS = re.compile(r"_(?!\w)|(?<!\w)_")
_ESCAPE = re.compile(r"\\[!-/:-@\[-`{-~\n]")
_ENTITY = re.compile(r"&\#?\w+;")
_AUTOLINK = re.compile(r"<[^\s<>:@]+[:@][^\s<>]*>")
_NAME = re.compile(r":[a-z0-9_+-]+:")


# What a block may begin with. Most texts begin with a letter.
_BLOCK_BEGINNINGS = frozenset(" \t#>-+=|:0123456789")


def may_be_markdown(text: str) -> bool:
    """Return whether a text may contain anything that has a meaning in Markdown."""
    # A search for a fixed string takes a tenth of the time of a regular expression.
    return bool(
        "*" in text
        or "`" in text
        or "~~" in text
        or "||" in text
        or "](" in text
        or ("_" in text and _EMPHASIS.search(text))
        or ("\\" in text and _ESCAPE.search(text))
        or ("&" in text and _ENTITY.search(text))
        or ("<" in text and _AUTOLINK.search(text))
        or (text.count(":") > 1 and _NAME.search(text))
        or (text[:1] in _BLOCK_BEGINNINGS and _FIRST_LINE.match(text))
        or ("\n" in text and _LATER_LINE.search(text))
    )
