"""Example data for bin/dev: people, rooms, a long history, unread messages and mentions, an assistant session.

Run as `python -m tests.harness.seed FOLDER`. Except for the accounts, everything is created by requests to a server.
"""

import random
import shutil
import sys
from pathlib import Path

from tests.harness.people import PASSWORD, Person, Socket, message_payload
from tests.harness.rows import add_people
from tests.harness.servers import Server

USERNAMES = ("ana", "bob", "cleo", "dan", "eve")
"""The first one is the owner."""
HISTORY_MESSAGES = 3_000
HISTORY_DAYS = 60
SENTENCES = (
    "The release is planned for Thursday.",
    "Has anybody seen the **report** of last week?",
    "I will look into it after lunch.",
    "The build is green again.",
    "Here is what I measured: `durable` 12 % faster, `fanout` unchanged.",
    "> Does it work on a phone?\n\nIt does.",
    "1. Write the test\n2. See it fail\n3. Fix the code",
    "Thanks!",
    "```python\nfor message in timeline:\n    print(message)\n```",
    "See https://example.org/a/long/path for the details, and tell me what you think of it.",
)


def seed(folder: Path) -> None:
    """Create an installation with example data in `folder`, which must not exist."""
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    server = Server(draft, CHATAPP_EVENTS_PER_SECOND="0", CHATAPP_LOG_LEVEL="WARNING")
    server.flask("db", "upgrade")
    server.start()
    try:
        people = {person.username: person for person in add_people(server, *USERNAMES)}
        fill(people, {name: person.connect() for name, person in people.items()})
        for person in people.values():
            person.close()
        age_history(server)
    finally:
        server.terminate()
    server.log_path.unlink()
    draft.rename(folder)


def fill(people: dict[str, Person], sockets: dict[str, Socket]) -> None:
    """Create conversations and their messages."""
    ana, bob, cleo = people["ana"], people["bob"], people["cleo"]
    design = ana.create_room("Design", topic="How it looks, and why", visibility="private")
    lunch = bob.create_room("Lunch", topic="Where to today?", visibility="open")
    for person in (bob, cleo):
        ana.invite(design, person)
    bob.invite(lunch, ana)
    choice = random.Random(1)
    # The general chat is trimmed when the server starts: the long history is in the room.
    for conversation, senders, count in (("general", USERNAMES, 80), (design, USERNAMES[:3], HISTORY_MESSAGES)):
        send_many(sockets, [(choice.choice(senders), choice.choice(SENTENCES)) for _ in range(count)], conversation)
    latest = sockets["ana"].join(design)["last_event"]
    sockets["ana"].call("mark_as_read", {"conversation": design, "seq": latest})
    reacted = sockets["bob"].post("Here is the new sidebar. What do you think, @ana?", design)
    sockets["cleo"].call("react", {"conversation": design, "seq": reacted["seq"], "reaction": "👍", "on": True})
    sockets["cleo"].post("I like it. @ana should see it on her phone, too.", design)
    sockets["bob"].post("Noodles at twelve?", lunch)
    direct = cleo.open_direct(ana)
    sockets["cleo"].post("Do you have a minute?", direct)
    session = ana.api().post("/sessions", json={"assistant": "helper"}).json()["conversation"]
    sockets["ana"].join(session)
    sockets["ana"].post("What can you do?", session)
    sockets["ana"].wait_for("assistant_done")


def send_many(sockets: dict[str, Socket], messages: list[tuple[str, str]], conversation: str) -> None:
    """Send messages, a hundred at a time without waiting for each ack: the server stores them in one commit."""
    for start in range(0, len(messages), 100):
        acks = [
            sockets[sender].emit("send_message", message_payload(content, conversation))
            for sender, content in messages[start : start + 100]
        ]
        for wait in acks:
            assert (ack := wait(60))["ok"], ack


def age_history(server: Server) -> None:
    """Spread the messages of each conversation over the last days."""
    seconds = HISTORY_DAYS * 86_400 // HISTORY_MESSAGES
    server.execute(
        "UPDATE messages SET created_at = strftime('%Y-%m-%d %H:%M:%f000', created_at, printf('-%d seconds', "
        f"{seconds} * ((SELECT last_event FROM conversations WHERE id = conversation_id) - seq)))"
    )


if __name__ == "__main__":
    seed(Path(sys.argv[1]))
    print(f"Created example data in {sys.argv[1]}. Sign in as {', '.join(USERNAMES)}; the password is “{PASSWORD}”.")
