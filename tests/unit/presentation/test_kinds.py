"""Title, path and icon of each kind of conversation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatapp import create_app
from chatapp.config import Settings
from chatapp.conversations.kinds import (
    AssistantSession,
    ConversationKind,
    Direct,
    General,
    Room,
    SharedAssistant,
)
from chatapp.conversations.people import Person
from chatapp.models import Conversation
from chatapp.presentation.kinds import PAGES, ConversationPage, page_of

ANA, BOB, EVE = Person(1, "ana", "Ana"), Person(2, "bob", "Bob"), Person(3, "eve", "Eve")

GENERAL = General.new(id=1, name="General", visibility="open")
ROOM = Room.new(id=2, name="Tea", visibility="open")
PRIVATE_ROOM = Room.new(id=3, name="Secret", visibility="private")
DIRECT = Direct.new(id=4, direct_key="1:2")
SHARED = SharedAssistant.new(id=5, assistant="helper")
FORMER = SharedAssistant.new(id=6, assistant="former", name="FORMER")
SESSION = AssistantSession.new(id=7, name="Tea or coffee?", assistant="helper")
NEW_SESSION = AssistantSession.new(id=8, name="", assistant="helper")


@pytest.fixture(scope="module", autouse=True)
def _request(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    data_dir: Path = tmp_path_factory.mktemp("data")
    (data_dir / "assistants.toml").write_text('[[assistant]]\nname = "helper"\ntitle = "Helper"\navatar = "🦉"\n')
    with create_app(Settings(data_dir=data_dir)).test_request_context():
        yield


def subclasses(kind: type[ConversationKind]) -> Iterator[type[ConversationKind]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def test_every_kind_has_a_page() -> None:
    kinds = {kind for kind in subclasses(ConversationKind) if not kind.__subclasses__()}
    assert kinds == set(PAGES)


@pytest.mark.parametrize(
    ("conversation", "people", "title", "path", "icon", "emoji"),
    [
        (GENERAL, (), "General", "/", "hash", ""),
        (ROOM, (), "Tea", "/rooms/2", "hash", ""),
        (PRIVATE_ROOM, (), "Secret", "/rooms/3", "lock", ""),
        (DIRECT, (ANA, BOB), "Bob", "/direct/bob", "person", ""),
        (DIRECT, (ANA, BOB, EVE), "Bob, Eve", "/direct/bob,eve", "people", ""),
        (DIRECT, (ANA,), "Ana (you)", "/direct/ana", "person", ""),
        (SHARED, (), "Helper", "/assistants/helper", "sparkles", "🦉"),
        (FORMER, (), "FORMER", "/assistants/FORMER", "sparkles", ""),
        (SESSION, (), "Tea or coffee?", "/sessions/7", "speech_bubble", ""),
        (NEW_SESSION, (), "New session with Helper", "/sessions/8", "speech_bubble", ""),
    ],
)
def test_title_path_and_icon(
    conversation: Conversation, people: tuple[Person, ...], title: str, path: str, icon: str, emoji: str
) -> None:
    page = page_of(conversation, people, ANA.id)
    assert (page.title, page.path, page.icon, page.emoji) == (title, path, icon, emoji)


def test_pages_with_an_assistant_show_more_messages() -> None:
    assert {kind: kind.last_page_size for kind in PAGES} == {
        General: 10,
        Room: 10,
        Direct: 10,
        SharedAssistant: 50,
        AssistantSession: 50,
    }


def test_every_direct_message_notifies_unless_something_else_is_set() -> None:
    assert [kind for kind in PAGES if kind.notification_level == "all"] == [Direct]


def test_the_assistant_is_none_after_it_was_removed_from_the_configuration() -> None:
    def assistant_of(conversation: Conversation) -> str | None:
        page: ConversationPage = page_of(conversation, (), ANA.id)
        return page.assistant.name if page.assistant else None

    assert [assistant_of(conversation) for conversation in (SHARED, SESSION, FORMER, ROOM)] == [
        "helper",
        "helper",
        None,
        None,
    ]
