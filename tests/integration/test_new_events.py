"""Reading the events that other processes have committed, of many conversations in one snapshot."""

import uuid

import pytest
from flask import Flask

from chatapp.accounts.service import create_owner, create_user
from chatapp.actors import Actor
from chatapp.conversations.refs import GENERAL, ConversationRef, room_ref
from chatapp.conversations.service import create_room
from chatapp.extensions import db
from chatapp.rooms.service import invite, remove
from chatapp.timeline import new_events, post
from chatapp.timeline.changing import edit, react
from chatapp.timeline.new_events import NewEventsPage, read_new_events


@pytest.fixture
def ana(app: Flask) -> Actor:
    return Actor(create_owner("ana", "Ana", "a good password"))


def write(ref: ConversationRef, actor: Actor, content: str) -> int:
    """Post a message and return its number."""
    message = post(ref, actor, content=content, client_id=str(uuid.uuid4()))
    assert message.seq is not None
    return message.seq


def read(**cursors: int) -> NewEventsPage:
    """Read in a new snapshot what follows the cursors of the general chat and of rooms."""
    refs = {
        GENERAL if name == "general" else room_ref(int(name.removeprefix("room_"))): n for name, n in cursors.items()
    }
    db.session.remove()
    return read_new_events(db.session(), refs)


def test_the_new_events_of_all_conversations_are_read_together(ana: Actor) -> None:
    create_user("bob", "Bob", "a good password", is_admin=False)
    room = room_ref(create_room(ana, "Plans", "", "private"))
    start = read(general=0, **{room.wire_name: 0}).events[room].end
    for number in range(3):
        write(GENERAL, ana, f"@bob {number}")
    first = write(room, ana, "first")
    react(room, ana, first, "👍", on=True)
    page = read(general=1, **{room.wire_name: start})
    assert [(each.seq, each.content) for each in page.events[GENERAL].messages] == [(2, "@bob 1"), (3, "@bob 2")]
    assert [person.username for person in page.events[GENERAL].messages[0].mentions] == ["bob"]
    (message,) = page.events[room].messages
    assert message.conversation == room
    assert (message.seq, message.version, len(message.reactions)) == (first, first + 1, 1)
    assert not page.events[room].has_more


def test_a_long_gap_is_read_in_parts_that_miss_nothing(ana: Actor) -> None:
    for number in range(new_events.EVENTS_PER_CONVERSATION + 5):
        write(GENERAL, ana, str(number))
    edit(GENERAL, ana, 1, content="edited")
    first = read(general=0).events[GENERAL]
    assert first.has_more
    second = read(general=first.end).events[GENERAL]
    assert not second.has_more
    contents = [each.content for each in (*first.messages, *second.messages)]
    assert contents == [*map(str, range(1, new_events.EVENTS_PER_CONVERSATION + 5)), "edited"]


def test_revocations_before_the_events_are_counted(ana: Actor) -> None:
    before = read().last_revocation
    room_id = create_room(ana, "Plans", "", "private")
    bob_id = create_user("bob", "Bob", "a good password", is_admin=False)
    invite(ana, room_id, ["bob"])
    remove(ana, room_id, bob_id)
    assert read().last_revocation == read(general=0).last_revocation
    assert read().last_revocation == before._replace(number=before.number + 1)


def test_a_conversation_that_does_not_exist_is_left_out(ana: Actor) -> None:
    write(GENERAL, ana, "Good morning")
    assert read(room_999=0).events == {}
    assert list(read(general=1, room_999=0).events) == [GENERAL]
