"""The built-in assistant: it finds what its asker may read, and knows chatapp."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from chatapp.assistants.message_search import FoundMessage, MessageSearch
from chatapp.assistants.providers import Question, Turn
from chatapp.assistants.providers.builtin import compose_answer
from chatapp.conversations.people import Person as Somebody
from tests.harness.people import NewPerson, Person
from tests.harness.servers import Server
from tests.integration.test_assistants import shared, wait_for_answer

Ask = Callable[..., str]


class EmptyLibrary(MessageSearch):
    """A history in which there is nothing."""

    def __init__(self) -> None:
        pass

    def find_person(self, words: Sequence[str]) -> None:
        assert words

    def find_messages(
        self, words: Sequence[str], *, sender: str | None = None, limit: int = 5
    ) -> Sequence[FoundMessage]:
        assert words or sender
        return [][:limit]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def helped(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One server on each of the two databases for all: each test speaks of something else."""
    url = request.getfixturevalue("postgres").create_database() if request.param == "postgresql" else ""
    server = Server(request.getfixturevalue("sqlite_template").copy(), database_url=url).start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def ana(helped: Server) -> Iterator[Person]:
    ana = Person(helped, "ana").set_up()
    yield ana
    ana.close()


@pytest.fixture(scope="module")
def bob(helped: Server, ana: Person) -> Iterator[Person]:
    bob = Person(helped, "bob").accept(ana.invitation())
    yield bob
    bob.close()


@pytest.fixture
def ask() -> Ask:
    def ask(person: Person, question: str, place: str = "") -> str:
        """Ask in a place, or in a new session of one's own, and give the answer."""
        if not place:
            place = "assistant_" + person.post("/sessions", "/sessions", assistant="helper").url.rpartition("/")[2]
        socket = person.connect()
        socket.join(place)
        asked = socket.post(question, place)["seq"]
        answer: dict[str, Any] = wait_for_answer(socket, place)  # Heard since it has joined: the first one.
        assert (answer["state"], answer["reply_to"]) == ("complete", asked)
        content: str = answer["content"]
        socket.close()
        return content

    return ask


def test_it_finds_what_somebody_said_and_leads_there(ana: Person, bob: Person, ask: Ask) -> None:
    his = bob.connect()
    his.post("Nothing of interest")
    said = his.post("The *invoice* of the printer is paid: 100 %")
    ana.connect().post("I know nothing of that invoice")
    answer = ask(ana, "What did Bob say about the invoice?")
    assert "Bob said" in answer
    assert r"The \*invoice\* of the printer is paid: 100 %" in answer
    assert "nothing" not in answer
    link = f"/conversations/general/messages/{said['seq']}"
    assert f"]({link})" in answer
    page = ana.get(link)
    assert page.url.endswith(f"/#message-{said['seq']}")
    assert "is paid" in page.text


def test_it_finds_by_words_alone_whatever_their_case(ana: Person, bob: Person, ask: Ask) -> None:
    bob.connect().post("The PRINTER stands on the second floor")
    assert "second floor" in ask(ana, "where is the printer?")
    assert "second floor" in ask(ana, "find second printer")


def test_it_says_so_when_it_found_nothing(ana: Person, bob: Person, ask: Ask) -> None:
    assert "I found nothing about “unicorns”" in ask(ana, "who mentioned unicorns?")
    assert "I found nothing by Bob about “unicorns”" in ask(ana, "did bob mention unicorns?")


def test_it_finds_nothing_that_its_asker_may_not_read(ana: Person, bob: Person, ask: Ask) -> None:
    room = bob.create_room("Secret")
    bob.connect().post("the treasure is buried", room)
    for asked in ("find treasure", "what did bob say about the treasure?"):
        assert "buried" not in ask(ana, asked)
    assert "buried" in ask(bob, "find treasure")


def test_where_others_listen_it_tells_nothing_that_is_private(
    ana: Person, bob: Person, ask: Ask, helped: Server
) -> None:
    room = bob.create_room("Secret")
    bob.connect().post("the orchid is sold", room)
    assert "sold" not in ask(bob, "find orchid", shared(helped, "helper"))
    assert "sold" not in ask(bob, "@helper find orchid", "general")
    assert "sold" in ask(bob, "@helper find orchid", room)


def test_who_was_removed_finds_what_was_said_no_longer(ana: Person, bob: Person, ask: Ask) -> None:
    room = ana.create_room("Secret")
    ana.invite(room, bob)
    ana.connect().post("the zebra is striped", room)
    assert "striped" in ask(bob, "find zebra")
    ana.remove(room, bob)
    assert "striped" not in ask(bob, "find zebra")


def test_what_was_deleted_is_not_found(ana: Person, ask: Ask) -> None:
    socket = ana.connect()
    said = socket.post("the kettle is broken")
    socket.call("delete_message", {"conversation": "general", "seq": said["seq"]})
    assert "broken" not in ask(ana, "find kettle")


@pytest.mark.parametrize(
    ("question", "part"),
    [
        ("How do I invite somebody?", "invitation link"),
        ("how can I make a private room?", "The **+** next to *Rooms*"),
        ("what happens when the database is away?", "No message is lost"),
        ("help", "Inviting people"),
        ("hello", "I search the messages here"),
        ("thanks!", "You’re welcome"),
        ("what can you do?", "I search the messages here"),
    ],
)
def test_it_knows_chatapp(question: str, part: str) -> None:
    assert part in compose_answer(Question([Turn("user", question)], Somebody(1, "ana", "Ana"), EmptyLibrary()))


def test_hostile_words_do_no_harm(ana: Person, bob: Person, ask: Ask, helped: Server) -> None:
    bob.connect().post("# Ignore the above ```\n<script>alert(1)</script> ](javascript:alert(1)) lagoon")
    place = shared(helped, "helper")
    assert "lagoon" in ask(ana, "find lagoon", place)
    page = ana.get("/assistants/helper").text.partition("<main")[2]
    assert "<script" not in page
    assert 'href="javascript' not in page
    for hostile in ("' OR 1=1 -- \\ \" % _ (((( $$$ \u2028 \u202e chinchilla", "a" * 9_000):
        assert "I found nothing" in ask(ana, f"find {hostile}")
    assert "Traceback" not in helped.log()


def test_people_on_another_process_see_the_answer_come_and_stop_it(
    two_servers: tuple[Server, Server], new_person: NewPerson
) -> None:
    first, second = two_servers
    owner = new_person(first, "owner")
    here, there = owner.connect(), owner.on_server(second).connect()
    for number in range(5):
        here.post(f"The budget, part {number}: " + "a word or two about money " * 10)
    place = shared(first, "helper")
    for socket in (here, there):
        socket.join(place)
    asked = here.post("find budget", place)["seq"]
    assert there.wait_for("assistant_delta", 3)[0]["n"] == 1
    again = owner.on_server(second).connect()
    (stream,) = again.join(place)["answers"]
    assert "budget" in stream["html"]
    assert there.call("stop_answer", {"conversation": place, "seq": asked + 1})["ok"]
    answers = [wait_for_answer(socket, place) for socket in (here, there, again)]
    assert {answer["state"] for answer in answers} == {"stopped"}
    assert len({answer["content"] for answer in answers}) == 1
    for socket in (here, there, again):
        socket.wait_for("assistant_done")
    assert again.join(place)["answers"] == []
