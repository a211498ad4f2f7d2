from chatapp.models import Conversation, now
from chatapp.timeline.event_numbers import new_message_columns, next_seq


def room() -> Conversation:
    return Conversation(id=26, kind="room", name="Lunch", last_event=4, message_count=3, updated_at=None)


def test_each_event_takes_the_next_number():
    conversation = room()
    assert [next_seq(conversation) for _ in range(3)] == [5, 6, 7]
    assert conversation.last_event == 7
    assert conversation.message_count == 3


def test_an_event_updates_the_time_of_its_conversation():
    before = now()
    conversation = room()
    next_seq(conversation)
    assert before <= conversation.updated_at <= now()


def test_an_appended_message_has_the_next_number_as_seq_and_version():
    conversation = room()
    first = new_message_columns(conversation, content="one")
    second = new_message_columns(conversation, content="two", sender_id=1)
    assert first == {"conversation_id": 26, "seq": 5, "version": 5, "content": "one"}
    assert second == {"conversation_id": 26, "seq": 6, "version": 6, "content": "two", "sender_id": 1}
    assert (conversation.last_event, conversation.message_count) == (6, 5)
