"""Scheduled messages are sent exactly once, whatever happens when they are due."""

import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tests.harness.clock import RIGHT_CLOCK, wrong_clock
from tests.harness.people import NewPerson, Person, message_payload
from tests.harness.servers import NewServer, Postgres, Server
from tests.harness.uploading import upload
from tests.harness.waiting import eventually, scaled

pytestmark = pytest.mark.faults

FAILPOINTS = ["before-insert:2", "before-commit:2", "after-commit:1", "after-acknowledgement:1"]


def schedule(person: Person, count: int, due_at: datetime, conversation: str = "general") -> list[str]:
    """Schedule messages with a file, two for each moment, and return their texts in the order of sending."""
    socket = person.connect()
    files = [{"upload": upload(person.server, socket, "notes.txt", person.username.encode()).id}]
    texts = [f"{person.username} {number} at {due_at:%H:%M:%S}" for number in range(count)]
    for number, text in enumerate(texts):
        due = due_at + timedelta(seconds=number // 2 * 0.6)
        payload = message_payload(text, conversation) | {"due_at": due.isoformat(), "files": files}
        ack = socket.call("schedule_message", payload)
        assert ack["ok"], ack
    return texts


def sent_by(server: Server, person: Person) -> list[object]:
    """Return the texts of the messages that a person has sent, each with its file."""
    query = (
        "SELECT content FROM messages JOIN attachments ON message_id = messages.id AND name = 'notes.txt' "
        f"WHERE sender_id = {person.id} ORDER BY seq"
    )
    return [content for (content,) in server.rows(query)]


def are_all_sent(server: Server) -> bool:
    return server.rows("SELECT count(*) FROM scheduled_messages") == [(0,)]


def wait_until_all_are_sent(server: Server) -> None:
    eventually(lambda: are_all_sent(server), "all messages are sent", timeout=40)


def test_messages_are_sent_once_and_in_order_when_the_server_is_killed_while_they_are_due(
    any_server: Server, new_person: NewPerson
) -> None:
    ana = new_person(any_server, "ana")
    texts: list[str] = []
    kills = 0
    for failpoint in FAILPOINTS:
        texts += schedule(ana, 6, datetime.now(UTC) + timedelta(seconds=1))
        any_server.kill()
        any_server.launch(CHATAPP_FAILPOINT=failpoint)
        # If there are fewer passes, all are sent, and the process is not killed.
        eventually(lambda: not any_server.is_running or are_all_sent(any_server), "killed, or done", timeout=40)
        kills += not any_server.is_running
        any_server.kill()
        any_server.start(CHATAPP_FAILPOINT="")
        wait_until_all_are_sent(any_server)
    assert kills > 1
    assert sent_by(any_server, ana) == texts


def test_two_processes_send_each_message_once_and_in_order_while_one_is_killed(
    two_servers: tuple[Server, Server], new_person: NewPerson
) -> None:
    first, second = two_servers
    people = [new_person(first, name).on_server(second) for name in ("ana", "bob", "cyd")]
    socket = people[0].connect()
    socket.join()
    # Late enough for everything to be scheduled before, also on a busy machine.
    due_at = datetime.now(UTC) + timedelta(seconds=scaled(8))
    texts = {person.username: schedule(person, 20, due_at) for person in people}
    # Both processes fire them at the same time.
    reminders = [f"reminder {number}" for number in range(10)]
    for text in reminders:
        due = (due_at - timedelta(seconds=1)).isoformat()
        ack = socket.call("remind_me", {"content": text, "client_id": str(uuid.uuid4()), "due_at": due})
        assert ack["ok"], ack
    eventually(lambda: datetime.now(UTC) > due_at + timedelta(seconds=0.1), "the first are due", timeout=60)
    first.kill()
    wait_until_all_are_sent(second)
    for person in people:
        assert sent_by(second, person) == texts[person.username]
    ((stored,),) = second.rows("SELECT count(*) FROM messages")
    assert stored == 60
    eventually(lambda: len(socket.contents()) == 60, "all are broadcast")
    fired = [each["content"] for each in socket.payloads("reminder_changed") if each["state"] == "due"]
    assert sorted(fired) == reminders


def test_messages_that_are_due_during_an_outage_are_sent_once_after_it(
    own_postgres: Postgres, new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server(database_url=own_postgres.create_database()).start()
    ana = new_person(server, "ana")
    texts = schedule(ana, 6, datetime.now(UTC) + timedelta(seconds=1.5))
    socket = ana.connect()
    socket.join()
    own_postgres.stop()
    assert socket.send("pending")["message"]["pending"]
    time.sleep(2.5)
    own_postgres.start()
    wait_until_all_are_sent(server)
    eventually(lambda: server.rows("SELECT count(*) FROM messages") == [(7,)], "the pending message is stored too")
    assert sent_by(server, ana) == texts


def test_a_jump_of_the_clock_sends_nothing_twice(server: Server, ana: Person) -> None:
    texts = schedule(ana, 2, datetime.now(UTC) + timedelta(seconds=1))
    later = schedule(ana, 2, datetime.now(UTC) + timedelta(minutes=30))
    wait_until = "SELECT count(*) FROM messages"
    eventually(lambda: server.rows(wait_until) == [(2,)], "the first are sent")
    for settings, count in ((wrong_clock("-1h"), 2), (wrong_clock("+1h"), 4), (RIGHT_CLOCK, 4)):
        server.terminate()
        server.start(**settings)
        eventually(lambda count=count: server.rows(wait_until) == [(count,)], "the number of messages")  # type: ignore[misc]
    ana.sign_in()
    assert sent_by(server, ana) == [*texts, *later]
