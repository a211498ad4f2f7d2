import pytest
from sqlalchemy.orm import Session

from chatapp.models import Conversation, now
from chatapp.signals import Signals
from chatapp.storage import Transaction
from chatapp.timeline.event_numbers import increment_last_event, new_message_columns


@pytest.fixture
def transaction() -> Transaction:
    return Transaction(Session(), Signals())


def room() -> Conversation:
    return Conversation(id=26, kind="room", name="Lunch", last_event=4, message_count=3, updated_at=None)


def test_each_event_takes_the_next_number(transaction: Transaction):
    conversation = room()
    assert [increment_last_event(transaction, conversation) for _ in range(3)] == [5, 6, 7]
    assert conversation.last_event == 7
    assert conversation.message_count == 3


def test_an_event_updates_the_time_of_its_conversation(transaction: Transaction):
    before = now()
    conversation = room()
    increment_last_event(transaction, conversation)
    assert before <= conversation.updated_at <= now()


def test_an_event_raises_the_watermark_of_its_conversation(transaction: Transaction):
    conversation = room()
    increment_last_event(transaction, conversation)
    increment_last_event(transaction, conversation)
    assert transaction.watermarks == {26: 6}


def test_an_appended_message_has_the_next_number_as_seq_and_version(transaction: Transaction):
    conversation = room()
    first = new_message_columns(transaction, conversation, content="one")
    second = new_message_columns(transaction, conversation, content="two", sender_id=1)
    assert first == {"conversation_id": 26, "seq": 5, "version": 5, "content": "one"}
    assert second == {"conversation_id": 26, "seq": 6, "version": 6, "content": "two", "sender_id": 1}
    assert (conversation.last_event, conversation.message_count) == (6, 5)
