"""Which names a text mentions. The renderer highlights the same ones."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatapp.markdown.rendering import render_within
from chatapp.markdown.time_budget import TimeBudget
from chatapp.mention_names import find_names
from tests.harness.rendering import HOSTILE_UNITS

PARTS = st.sampled_from(
    [
        *(
            " @ana ",
            " @bob ",
            " _@ana_ ",
            " *@bob* ",
            "`",
            "``",
            "```\n",
            "\n```",
            "~~~\n",
            "\n",
            "\n\n",
            " ",
            "> ",
            "- ",
            "**",
            "_",
            "~~",
            "||",
            "|",
            "\n|-|-|\n",
            "# ",
            "x",
        ),
        *("[x @ana](http://e.org)", "[@bob](/x)", " http://e.org/?@ana ", " (@ana) ", "`@bob`", "\\`", "\n> "),
    ]
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@ana and @Bob", {"ana", "bob"}),
        ("`@ana` and @bob", {"bob"}),
        ("``@ana ` @cleo`` @bob", {"bob"}),
        ("` @ana", {"ana"}),
        ("\\`@ana`", {"ana"}),
        ("`\\` @ana", {"ana"}),
        ("`a\n\n@ana`", {"ana"}),
        ("```\n@ana\n```\n@bob", {"bob"}),
        ("```py\n@ana", set()),
        ("~~~\n@ana\n```\n@cleo\n~~~\n@bob", {"bob"}),
        ("````\n@ana\n```\n@cleo\n````\n@bob", {"bob"}),
        ("> ```\n> @ana\n\n@bob", {"bob"}),
        ("- ```\n  @ana\n  ```\n- @bob", {"bob"}),
        ("[@ana](https://example.com) @bob", {"bob"}),
        ("[@ana] (@bob)", {"ana", "bob"}),
        ("https://example.com/?q=@ana @bob", {"bob"}),
        ("**@ana** ||@bob||", {"ana", "bob"}),
        ("`~~~\n _x_ `@bob`", {"bob"}),
        ("# `a\n@bob`", {"bob"}),
        ("| `a | @bob` |\n|---|---|", {"bob"}),
        ("```| @bob\n|-|-|", {"bob"}),
        ("||`@ana`|| @bob", {"bob"}),
        ("ana@example.com \\@bob", set()),
    ],
)
def test_code_and_links_mention_nobody(text: str, names: set[str]) -> None:
    assert find_names(text) == names
    assert highlighted(text) == names


def highlighted(text: str) -> set[str]:
    names = frozenset({"ana", "bob", "cleo"})
    html = "".join(render_within(text, TimeBudget(60), TimeBudget(60), names))
    return set(re.findall(r'data-mention="(\w+)"', html))


@pytest.mark.parametrize("text", ["\n```||\n```\n @ana \n", "```||\n\n```\n @ana \n```", "~~~|\n~~~\n@ana"])
def test_a_fence_with_a_bar_hides_no_mention(text: str) -> None:
    assert highlighted(text) == find_names(text) == {"ana"}


@given(st.lists(PARTS, max_size=8).map("".join))
@settings(max_examples=500, deadline=None)
def test_who_is_highlighted_is_mentioned(text: str) -> None:
    assert highlighted(text) <= find_names(text)


@pytest.mark.parametrize(
    "unit", [*HOSTILE_UNITS, "`a``b```c", "```\n> ", "\\`", "[](", "@a`", "`\n\n", "> - ", "www.@a "]
)
def test_hostile_text_is_searched_in_one_pass(unit: str) -> None:
    find_names(unit * 20_000 + "@ana")
