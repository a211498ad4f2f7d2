"""A list of messages as one reader sees it. The tests of the browser's code read the same cases."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from chatapp import create_app
from chatapp.config import Settings
from chatapp.conversations.people import Person
from chatapp.conversations.refs import GENERAL
from chatapp.presentation.message_list import Reader, render_messages
from chatapp.presentation.reader_clock import UTC_CLOCK, ReaderClock, parse_clock
from chatapp.timeline import TimelineMessage
from chatapp.timeline.content import NOTICE, TEXT
from chatapp.timeline.messages import ReactionGroup

CASES = json.loads((Path(__file__).parents[2] / "timeline_cases.json").read_bytes())

ANA, BOB = Person(7, "ana", "Ana"), Person(8, "bob", "Bob")

LINE = re.compile(
    r'<li class="date-separator"><button[^>]*>(?P<day>.*?)</button></li>'
    r'|<li class="(?P<new>unread-divider)" id="unread">'
    r'|<li class="message(?P<classes>[^"]*)".*?data-seq="(?P<seq>\d+)".*?<time[^>]*>(?P<time>.*?)</time>',
    re.DOTALL,
)


@pytest.fixture(scope="module", autouse=True)
def app_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with create_app(Settings(data_dir=tmp_path_factory.mktemp("data"))).app_context():
        yield


def make_message(seq: int, sender: Person | None = ANA, at: str = "2026-03-05T09:00:00+00:00", **more: Any) -> Any:
    return TimelineMessage(
        conversation=GENERAL,
        **{
            "id": seq,
            "seq": seq,
            "version": seq,
            "sender": sender,
            "content": "",
            "created_at": datetime.fromisoformat(at),
        }
        | more,
    )


def list_lines(html: str) -> list[str]:
    lines = []
    for match in LINE.finditer(html):
        if match["seq"]:
            suffix = " continued" if "is-continued" in match["classes"] else ""
            lines.append(f"{match['seq']} {match['time']}{suffix}")
        else:
            lines.append("new" if match["new"] else match["day"])
    return lines


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_reader_sees_days_groups_times_and_the_first_unread_message(case: dict[str, Any]) -> None:
    clock = parse_clock(f"{case['zone']}:{case['cycle']}") if "zone" in case else UTC_CLOCK
    now = datetime.fromisoformat(case["now"]).astimezone(clock.zone)
    people = {7: ANA, 8: BOB, None: None}
    messages = [
        make_message(
            each["seq"], people[each["sender"]], each["at"], message_type=NOTICE if each.get("notice") else TEXT
        )
        for each in case["messages"]
    ]
    reader = Reader(case.get("reader", 0), clock, now.date(), case.get("last_read"))
    html = render_messages(messages, reader, has_older=case.get("has_older", False))
    assert list_lines(html) == case["lines"]


def classes_of(message: TimelineMessage, reader_id: int) -> set[str]:
    html = render_messages([message], Reader(reader_id, UTC_CLOCK, date(2026, 3, 5)), has_older=False)
    match = re.search(r'<li class="(message[^"]*)"', html)
    assert match
    return set(match[1].split())


def test_messages_of_the_reader_and_mentions_of_them_are_marked() -> None:
    assert classes_of(make_message(1), ANA.id) == {"message", "is-own"}
    assert classes_of(make_message(1), BOB.id) == {"message"}
    assert classes_of(make_message(1, content="@bob", mentions=(BOB,)), BOB.id) == {"message", "mentions-me"}
    assert classes_of(make_message(1, content="@bob", mentions=(BOB,)), ANA.id) == {"message", "is-own"}
    to_all = make_message(1, content="@all", mentions=(ANA, BOB))
    assert classes_of(to_all, BOB.id) == {"message", "mentions-me"}
    assert classes_of(to_all, ANA.id) == {"message", "is-own"}


def test_reactions_of_the_reader_are_marked() -> None:
    message = make_message(1, reactions=(ReactionGroup("👍", (BOB,)), ReactionGroup("🎉", (ANA,))))
    html = render_messages([message], Reader(BOB.id, UTC_CLOCK, date(2026, 3, 5)), has_older=False)
    assert re.findall(r'data-reaction="(.)" aria-pressed="true"', html) == ["👍"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Europe/Berlin",
        "Europe/Berlin:h13",
        "Europe/Berlin:h23 ",
        "Europe/Nowhere:h23",
        "Europe:h23",
        "../../etc/passwd:h23",
        "/etc/localtime:h23",
        "right/Europe/Berlin:h23",
        "posixrules:h23",
        "Europe/Berlin/../Paris:h23",
        "A" * 5_000 + ":h23",
        "Ünknown:h23",
        "Europe/Berlin\0:h23",
    ],
)
def test_a_cookie_that_no_browser_sets_means_utc(value: str) -> None:
    assert parse_clock(value) is UTC_CLOCK


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "UTC"])
def test_known_zones_are_used(zone: str) -> None:
    clock = parse_clock(f"{zone}:h12")
    assert (str(clock.zone), clock.hour_cycle) == (zone, "h12")


def test_midnight_and_noon_have_their_hours_in_each_cycle() -> None:
    midnight, noon = datetime(2026, 3, 5, 0, 5, tzinfo=UTC), datetime(2026, 3, 5, 12, 5, tzinfo=UTC)
    times = {
        cycle: (ReaderClock(UTC, cycle).format_time(midnight), ReaderClock(UTC, cycle).format_time(noon))
        for cycle in ("h11", "h12", "h23", "h24")
    }
    assert times == {
        "h11": ("0:05 AM", "0:05 PM"),
        "h12": ("12:05 AM", "12:05 PM"),
        "h23": ("00:05", "12:05"),
        "h24": ("24:05", "12:05"),
    }
