"""Texts that are expensive to render: for the tests, which count steps, and for `bin/bench rendering`."""

HOSTILE_UNITS = (
    *("[", "[] ", "[a](", "![", "![[]()", "[x]: y\n", "[*a](b)*", "](", "*", "*a ", "**a ", "***a ", "*a_", "*a **a `"),
    *(
        "_a*b",
        "*[_~`",
        "a*b_c~~d",
        "~~a",
        "~a ~~b ",
        "`a",
        "``a` ",
        "&amp;",
        "&",
        "<",
        "<a ",
        "<!--",
        "<?",
        "\\",
        "\\*",
    ),
    *(
        "http://",
        "http://a ",
        "://www.a.b ",
        "://a@b.c ",
        "mailto:a@b.c://",
        "<http://a>",
        "//a.b",
        "😀*",
        "||",
        "||a ",
        "||`a",
        "[||",
        "\n",
        "a\n",
    ),
    *("a\n\n", "  \n", " ", "\t", "\r", "# a\n", "---\n", "- - - ", "* \n", "- ", "1. ", "1) ", "- a\n", "> ", "> - "),
    *("- > ", "> a\n", "```\n", "~~~\na\n", "```python\na\n```\n", "    a\n", "|", "|a|b|\n", "a|b\n-|-\n", "a\n=\n"),
)
"""Repeated, each makes a parser of Markdown work hard."""


def repeat(unit: str, length: int) -> str:
    """Return `unit` repeated, cut to `length` characters."""
    return (unit * (length // len(unit) + 1))[:length]
