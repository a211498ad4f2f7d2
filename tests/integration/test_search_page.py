"""The page of the search: the part that follows what is typed, its filters, and the messages around hits."""

import json

from selectolax.lexbor import LexborHTMLParser

from chatapp.search.query import HAS, IS, PERIODS
from tests.harness.people import Person, message_payload


def parse(person: Person, path: str, **parameters: str) -> LexborHTMLParser:
    return LexborHTMLParser(person.get(path, params=parameters).text)


def texts(page: LexborHTMLParser, selector: str) -> list[str]:
    return [" ".join(element.text().split()) for element in page.css(selector)]


def test_the_part_that_follows_what_is_typed_is_that_of_the_page(ana: Person) -> None:
    ana.connect().post("a red apple")
    page, part = (parse(ana, path, q="appl") for path in ("/search", "/search/results"))
    assert texts(page, ".search-hit") == texts(part, ".search-hit") == ["a red apple"]
    assert page.css("nav.sidebar")
    assert not part.css("nav.sidebar")


def test_messages_are_found_as_they_are_read(ana: Person) -> None:
    socket = ana.connect()
    socket.post("| Fruit |\n|---|\n| _apple_ **pie** <b> |")
    socket.post("see [the manual](https://example.org/apples)")
    assert texts(parse(ana, "/search", q="appl"), ".search-hit") == [
        "see [the manual](https://example.org/apples)",
        "Fruit apple pie <b>",
    ]
    assert texts(parse(ana, "/search", q="manual"), ".search-hit") == ["see the manual"]
    socket.post("/me eats an apple")
    assert texts(parse(ana, "/search", q="eats"), ".search-hit") == ["eats an apple"]


def test_the_number_of_messages_on_a_single_page_needs_no_second_request(ana: Person) -> None:
    socket = ana.connect()
    for number, shown in ((1, "1 message"), (2, "2 messages"), (21, "")):
        for index in range(number):
            socket.post(f"pear{number} {index}")
        assert texts(parse(ana, "/search", q=f"pear{number}"), "[data-search-count]") == [shown]
    assert texts(parse(ana, "/search", q="peach"), "[data-search-count]") == ["No messages found."]


def test_filters_of_a_query_can_be_removed_and_others_added(ana: Person) -> None:
    page = parse(ana, "/search", q='apple from:"Ana Lima" pear is:saved')
    assert texts(page, ".search-filters .chip") == ['from:"Ana Lima"', "is:saved"]
    links = {link.attributes.get("aria-label") or link.text(): link for link in page.css(".search-filters a")}
    assert links["Remove is:saved"].attributes["data-search-words"] == 'apple from:"Ana Lima" pear '
    assert links['Remove from:"Ana Lima"'].attributes["data-search-words"] == "apple pear is:saved "
    assert links["has:link"].attributes["data-search-words"] == 'apple from:"Ana Lima" pear is:saved has:link '
    assert "is:saved" not in links


def test_all_values_of_filters_are_completed(ana: Person) -> None:
    (element,) = parse(ana, "/search").css("[data-filters]")
    filters = {each["name"]: each for each in json.loads(element.attributes["data-filters"] or "")}
    values = {name: tuple(value for value, _ in each["values"]) for name, each in filters.items()}
    assert (values["has"], values["is"], values["during"]) == (HAS, IS, tuple(PERIODS))
    assert filters["in"]["source"] == "/destinations/conversations"


def test_the_context_of_a_message_is_shown_without_spoilers(ana: Person, bob: Person) -> None:
    room, socket = ana.create_room("Plans"), ana.connect()
    first, second, third = (socket.post(text, room)["seq"] for text in ("one", "two ||secret||", "three"))
    payload = message_payload("a reply", room) | {"thread": first}
    reply = socket.call("send_message", payload)["message"]["seq"]

    def context(seq: int) -> list[str]:
        return texts(parse(ana, f"/conversations/{room}/messages/{seq}/context"), ".listed-text")

    assert context(second) == ["one", "two (spoiler)", "three"]
    assert context(third) == ["two (spoiler)", "three"]
    assert context(reply) == ["one", "a reply"]
    path = f"/conversations/{room}/messages/{second}/context"
    assert bob.get(path).status_code == 404
    socket.call("delete_message", {"conversation": room, "seq": second})
    assert ana.get(path).status_code == 404
    assert context(third) == ["This message was deleted.", "three"]
