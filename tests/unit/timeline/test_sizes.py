"""Lists for sockets, which end early if messages are long."""

from dataclasses import dataclass

from chatapp.timeline.sizes import MAX_LISTED_CHARS, limit_size


@dataclass(frozen=True)
class Item:
    chars: int


def test_a_list_ends_with_the_item_that_reaches_the_limit() -> None:
    short, long = Item(1), Item(MAX_LISTED_CHARS)
    assert limit_size([]) == []
    assert limit_size([short] * 100) == [short] * 100
    assert limit_size([long, short]) == [long], "one is always included"
    assert limit_size([short, long, short]) == [short, long]
    assert limit_size([short, short, long, short], keeps_last=True) == [long, short]
