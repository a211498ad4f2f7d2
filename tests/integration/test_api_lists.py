"""The lists of a user over the API: one form, with links in both directions."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.harness.api import check_problem
from tests.harness.people import NewPerson, Person
from tests.harness.servers import Server

LISTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "saved": lambda each: each["seq"],
    "drafts": lambda each: each["thread"],
    "scheduled": lambda each: each["content"],
    "reminders": lambda each: each["content"],
    "threads": lambda each: (each["thread"]["thread"], each["thread"]["unread"]),
    "mentions": lambda each: each["message"]["content"],
}
"""What identifies an item of each list."""


@pytest.fixture
def ana(any_server: Server, new_person: NewPerson) -> Person:
    """Return a person who has five items in each list."""
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    socket, api, other = ana.connect(), ana.api(), bob.api()
    messages = "/conversations/general/messages"
    for number in range(1, 6):
        socket.post(f"message {number}")
    # Several are due at the same time.
    times = [(datetime.now(UTC) + timedelta(days=1 + number // 2)).isoformat() for number in range(1, 6)]
    for number, due_at in enumerate(times, 1):
        assert api.request("PUT", f"{messages}/{number}/saved").ok
        draft = {"content": f"draft {number}", "version": 0, "thread": number}
        assert api.request("PUT", "/conversations/general/draft", json=draft).ok
        assert api.post("/conversations/general/scheduled", json={"content": f"{number}", "due_at": due_at}).ok
        assert api.post("/reminders", json={"content": f"{number}", "due_at": due_at}).ok
        assert other.post(messages, json={"content": f"@ana {number}", "thread": number}).ok
    for number in (2, 5):
        assert api.post(f"/conversations/general/threads/{number}/read", json={}).ok
    return ana


ORDER: dict[str, list[object]] = {
    "saved": [5, 4, 3, 2, 1],
    "drafts": [5, 4, 3, 2, 1],
    "scheduled": ["1", "2", "3", "4", "5"],
    "reminders": ["1", "2", "3", "4", "5"],
    "threads": [(4, 1), (3, 1), (1, 1), (5, 0), (2, 0)],
    "mentions": [f"@ana {number}" for number in range(1, 6)],
}


def test_links_lead_through_each_list_in_both_directions(ana: Person) -> None:
    api = ana.api()
    for name, identify in LISTS.items():
        response = api.get(f"/{name}?limit=2")
        response = api.get(response.links["first"]["url"].removeprefix("/api"))
        assert response.json()["previous"] is None, name
        pages = [response.json()]
        while "next" in response.links:
            assert response.links["next"]["url"] == response.json()["next"]
            response = api.get(response.links["next"]["url"].removeprefix("/api"))
            pages.append(response.json())
        assert pages[-1]["next"] is None
        assert {(page["total"], page["limit"]) for page in pages} == {(5, 2)}, name
        assert [[identify(each) for each in page[name]] for page in pages] == [
            ORDER[name][:2],
            ORDER[name][2:4],
            ORDER[name][4:],
        ]
        back = list[object]()
        while "prev" in response.links:
            assert response.links["prev"]["url"] == response.json()["previous"]
            response = api.get(response.links["prev"]["url"].removeprefix("/api"))
            back = [identify(each) for each in response.json()[name]] + back
        assert back == ORDER[name][:4], name
        assert check_problem(api.get(f"/{name}?after=x")) == (400, "invalid")
        assert check_problem(api.get(f"/{name}?offset=1")) == (400, "invalid")


def test_items_that_move_meanwhile_shift_no_others_to_another_part(ana: Person) -> None:
    api = ana.api()
    first = api.get("/threads?limit=2").json()
    assert api.post("/conversations/general/messages", json={"content": "reply", "thread": 3}).ok
    rest = api.get(first["next"].removeprefix("/api")).json()
    assert [each["thread"]["thread"] for each in rest["threads"]] == [1, 3]
    last = api.get("/saved?limit=2").json()
    for seq in (5, 4):
        assert api.request("DELETE", f"/conversations/general/messages/{seq}/saved").ok
    rest = api.get(last["next"].removeprefix("/api")).json()
    assert ([each["seq"] for each in rest["saved"]], rest["previous"]) == ([3, 2], None)


def test_what_lies_beside_an_empty_part_is_found(ana: Person) -> None:
    api = ana.api()
    last = api.get("/saved?limit=4").json()
    assert api.request("DELETE", "/conversations/general/messages/1/saved").ok
    empty = api.get(last["next"].removeprefix("/api")).json()
    assert (empty["saved"], empty["next"]) == ([], None)
    before = api.get(empty["previous"].removeprefix("/api")).json()
    assert [each["seq"] for each in before["saved"]] == [5, 4, 3, 2]
