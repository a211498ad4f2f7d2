"""How conversations are found and listed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import AssistantSession, Direct, General, Room, SharedAssistant
from chatapp.conversations.preferences import Preferences
from chatapp.conversations.queries import (
    direct_key,
    find_access,
    find_conversation,
    list_direct_conversations,
    list_title_people,
)
from chatapp.conversations.refs import GENERAL, ConversationRef, assistant_ref, direct_ref, room_ref
from chatapp.conversations.sidebar import ROOM_LIMIT, SESSION_LIMIT, list_sidebar
from chatapp.models import Conversation, ConversationPreference, Installation, Membership, User, now
from chatapp.models.base import Base

ANA, BOB = 1, 2


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(
            [
                Installation(id=1, epoch="1"),
                User(id=ANA, username="ana", name="Ana", password_hash="x"),
                User(id=BOB, username="bob", name="Bob", password_hash="x"),
                General.new(id=1, name="General", visibility="open"),
                Room.new(id=2, name="Tea", visibility="open"),
                Room.new(id=3, name="Archive", visibility="private", ended_at=now()),
                Room.new(id=4, name="bread", visibility="private"),
                Direct.new(id=5, direct_key="1:2", last_event=1, updated_at=datetime(2026, 1, 1, tzinfo=UTC)),
                Direct.new(id=6, direct_key="1", last_event=1, updated_at=datetime(2026, 1, 2, tzinfo=UTC)),
                Direct.new(id=7, direct_key="1:2:3", last_event=0),
                SharedAssistant.new(id=8, assistant="helper"),
                AssistantSession.new(id=9, name="A question", assistant="helper"),
                AssistantSession.new(id=10, name="Bob's", assistant="helper"),
            ]
        )
        session.flush()
        session.add_all(Membership(conversation_id=number, user_id=ANA) for number in (1, 2, 3, 4, 5, 6, 7, 9))
        session.add_all(Membership(conversation_id=number, user_id=BOB) for number in (1, 5, 10))
        session.flush()
        yield session
    engine.dispose()


def test_a_name_finds_a_conversation_of_its_own_kind_only(session: Session) -> None:
    names = [GENERAL, room_ref(2), direct_ref(5), assistant_ref(8), assistant_ref(9)]
    for name in names:
        conversation = find_conversation(session, name)
        assert conversation is not None
        assert ConversationRef.of(conversation) == name
    for name in (room_ref(5), direct_ref(2), assistant_ref(2), room_ref(1), room_ref(99)):
        assert find_conversation(session, name) is None
        assert find_access(session, name, ANA) == (None, None)


def test_access_has_the_membership_of_the_user(session: Session) -> None:
    for user_id, is_member in ((ANA, True), (BOB, False)):
        access = find_access(session, room_ref(2), user_id)
        assert access.conversation is not None
        assert access.conversation.name == "Tea"
        assert (access.membership is not None) is is_member


def test_the_sidebar_lists_general_rooms_direct_messages_and_assistants(session: Session) -> None:
    assert [conversation.id for conversation in list_sidebar(session, ANA).rows] == [1, 4, 2, 6, 5, 8, 9]
    assert [conversation.id for conversation in list_sidebar(session, BOB).rows] == [1, 5, 8, 10]


def test_the_sidebar_lists_the_rooms_that_were_used_last(session: Session) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rooms = range(1_000, 1_000 + ROOM_LIMIT + 10)
    session.add_all(
        Room.new(id=number, name=f"Room {number}", visibility="open", updated_at=start + timedelta(hours=number))
        for number in rooms
    )
    session.flush()
    session.add_all(Membership(conversation_id=number, user_id=BOB, created_at=start) for number in rooms)
    session.flush()

    def listed() -> list[int]:
        session.flush()
        return [each.id for each in list_sidebar(session, BOB).rows if each.id in rooms]

    assert listed() == list(rooms)[10:]
    session.get_one(Membership, (rooms[3], BOB)).created_at = now()  # Somebody has added Bob just now.
    session.get_one(Conversation, rooms[5]).updated_at = now()
    assert listed() == [rooms[3], rooms[5], *list(rooms)[12:]]


def test_the_sidebar_lists_all_favorites(session: Session) -> None:
    sessions = range(1_000, 1_000 + SESSION_LIMIT + 2)
    session.add_all(AssistantSession.new(id=number, name="", assistant="helper") for number in sessions)
    session.add(Direct.new(id=2_000, direct_key="favorite"))
    session.flush()
    session.add_all(Membership(conversation_id=number, user_id=ANA) for number in (*sessions, 2_000))
    session.flush()
    assert not {sessions[0], 2_000} & {row.id for row in list_sidebar(session, ANA).rows}

    session.add_all(
        ConversationPreference(user_id=user_id, conversation_id=number, is_favorite=True)
        for user_id, number in ((ANA, sessions[0]), (ANA, 2_000), (BOB, sessions[1]))
    )
    session.flush()
    listed = {row.id: row for row in list_sidebar(session, ANA).rows}
    assert len(set(sessions) & set(listed)) == SESSION_LIMIT + 1
    assert {number for number, row in listed.items() if row.preferences.is_favorite} == {sessions[0], 2_000}
    assert listed[2_000].preferences == Preferences("all", is_favorite=True)
    assert listed[2].preferences == Preferences("mentions")


def test_the_sidebar_lists_pinned_sessions_first(session: Session) -> None:
    sessions = range(1_000, 1_000 + SESSION_LIMIT)
    session.add_all(AssistantSession.new(id=number, name="", assistant="helper") for number in sessions)
    session.flush()
    session.add_all(Membership(conversation_id=number, user_id=ANA) for number in sessions)
    session.get_one(Conversation, sessions[1]).pinned_at = now()
    session.flush()

    listed = [row.id for row in list_sidebar(session, ANA).rows][-SESSION_LIMIT:]
    assert listed[0] == sessions[1]
    assert len(set(listed)) == SESSION_LIMIT
    assert 9 not in listed


def test_rows_of_the_sidebar_differ_after_each_change_of_what_it_shows(session: Session) -> None:
    def read() -> object:
        session.flush()
        return list_sidebar(session, ANA).rows

    room, installation = session.get_one(Conversation, 2), session.get_one(Installation, 1)
    marker, preference = session.get_one(Membership, (2, ANA)), ConversationPreference(user_id=ANA, conversation_id=2)
    session.add(preference)
    for row, column, value in (
        (room, "last_event", 5),
        (room, "floor", 3),
        (room, "reset_event", 4),
        (room, "message_count", 2),
        (room, "name", "Coffee"),
        (room, "visibility", "private"),
        (room, "avatar_digest", "a" * 64),
        (marker, "last_read_seq", 5),
        (preference, "notification_level", "all"),
        (preference, "is_muted", True),
        (preference, "is_favorite", True),
        (installation, "people_version", 1),
        (installation, "epoch", "2"),
    ):
        before = read()
        setattr(row, column, value)
        assert read() != before, column
    assert read() == read()


def test_direct_conversations_are_listed_after_their_first_message(session: Session) -> None:
    assert [conversation.id for conversation in list_direct_conversations(session, ANA, limit=9)] == [6, 5]
    assert [conversation.id for conversation in list_direct_conversations(session, ANA, limit=1)] == [6]


def test_only_direct_conversations_are_titled_by_their_people(session: Session) -> None:
    people = list_title_people(session, [row.to_conversation() for row in list_sidebar(session, ANA).rows])
    assert {number: [person.username for person in found] for number, found in people.items()} == {
        5: ["ana", "bob"],
        6: ["ana"],
    }


def test_the_key_of_a_direct_conversation_does_not_depend_on_the_order() -> None:
    assert direct_key([3, 1, 2]) == direct_key([1, 2, 3, 1]) == "1:2:3"
