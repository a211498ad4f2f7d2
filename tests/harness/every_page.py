"""An installation in which no page is empty, and its pages."""

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.harness.files import PHOTO, TEXT_FILE
from tests.harness.html import attribute
from tests.harness.people import Person, Socket, message_payload, room_path
from tests.harness.rows import add_people
from tests.harness.servers import Server
from tests.harness.stored_files import attach_rows

TEXTS = (
    "Good morning! The new build is on **staging**.",
    "> Does it work on a phone?\n\nIt does: see https://example.com/builds/4.0",
    "1. Write the test\n2. Fix the code\n\n```python\nprint('done')  # a comment\n```",
    "| page | time |\n| --- | --- |\n| room | 40 ms |",
    "שלום עולם!",
    "🎉👍",
)


@dataclass(frozen=True)
class Pages:
    """Paths of pages, by who reads them."""

    owner: list[str]
    stranger: list[str]
    """Pages of somebody who is not signed in, and of errors."""
    room: str


def furnish(server: Server) -> tuple[Person, Pages]:
    """Create people and conversations with all that the owner's pages can show. Return the owner and the pages."""
    ana, bob, cyd, _, _ = add_people(server, "ana", "bob", "cyd", "dan", "mallory")
    socket, other = ana.connect(), bob.connect()
    room = ana.create_room("Design", "open", topic="How it looks, and why")
    for person in (bob, cyd):
        ana.invite(room, person)
    fill_room(room, socket, other)
    attach_rows(server, room, other.post("The files", room)["seq"], PHOTO, TEXT_FILE)
    path = room_path(room)
    archived, joinable = ana.create_room("Old plans"), bob.create_room("Lunch", "open")
    ana.post(f"{room_path(archived)}/archive")
    direct, group = bob.open_direct(ana), ana.open_direct(bob, cyd)
    other.post("Do you have a minute?", direct)
    socket.post("Let us meet at ten", group)
    cyd.open_direct(ana)
    ana.post("/direct/cyd/block")
    schedule(socket, room)
    session, template = start_session(ana, socket)
    incoming = ana.post(f"{path}/webhooks/incoming", bot_name="Builder")
    bob.http.post(attribute(incoming.text, "#webhook-url", "value"), data=b"The build is green", timeout=30)
    ana.post(f"{path}/webhooks", name="deploy", url="https://example.com/")
    ana.post(f"/conversations/{room}/preferences", favorite="yes")
    ana.create_token()
    invitation = ana.invitation().removeprefix(server.url)
    ana.post("/people/mallory/ban", "/people/mallory/ban", reason="Advertising")
    ana.post(f"/conversations/{session}/share")
    session_path = f"/sessions/{session.partition('_')[2]}"
    shared = attribute(ana.get(session_path).text, "[value*='/shared/']", "value").removeprefix(server.url)
    owner = [
        *(
            "/",
            "/mentions",
            "/rooms",
            "/rooms/new",
            path,
            f"{path}/settings",
            f"{path}/picture",
            f"{path}/webhooks",
            room_path(joinable),
        ),
        *(
            room_path(archived),
            f"/conversations/{room}/messages/1/versions",
            f"/conversations/{room}/pins",
            f"/conversations/{room}/files",
            "/saved",
            "/search",
            "/search?q=hello",
            f"/conversations/{room}/messages/1/forward",
            "/people",
            "/people/ana",
            "/people/bob",
        ),
        *("/people/invitations", "/people/bob/ban", "/people/mallory", "/people?q=nobody", "/direct", "/direct/bob"),
        *(
            "/direct/bob,cyd",
            "/direct/cyd",
            "/direct/dan",
            "/settings",
            "/settings/picture",
            "/settings/tokens",
            "/sessions",
            session_path,
        ),
        *(f"{session_path}/title", "/assistants/helper", "/templates", "/templates/new", f"/templates/{template}"),
        *("/admin/status", "/admin/access", "/admin/rooms", "/admin/emoji", "/admin/audit-log", "/api/docs"),
        *("/admin/assistants", "/admin/assistants/helper/picture"),
        *(f"/conversations/{room}/date?date=2026-01-01", "/threads", "/scheduled", f"/conversations/{room}/threads/1"),
    ]
    stranger = ["/sign-in", invitation, "/invitation/wrong", shared, "/offline", "/nothing"]
    return ana, Pages(owner, stranger, path)


def fill_room(room: str, socket: Socket, other: Socket) -> None:
    """Create messages of each kind."""
    edited = socket.post(TEXTS[0], room)
    socket.call("edit_message", {"conversation": room, "seq": edited["seq"], "content": TEXTS[0] + " Try it."})
    socket.call("save_draft", {"conversation": room, "content": "a draft", "version": 0})
    for event in ("pin_message", "save_message"):
        socket.call(event, {"conversation": room, "seq": edited["seq"], "on": True})
    for text in TEXTS[1:]:
        reacted = other.post(text, room)
        for each in (socket, other):
            each.call("react", {"conversation": room, "seq": reacted["seq"], "reaction": "👍", "on": True})
    deleted = other.post("a mistake", room)
    other.call("delete_message", {"conversation": room, "seq": deleted["seq"]})
    socket.call("mark_as_read", {"conversation": room, "seq": deleted["seq"]})
    for writer, text in ((other, "It looks good"), (socket, "Thank you"), (other, "Shall we ship it?")):
        writer.call("send_message", message_payload(text, room) | {"thread": 1})
    other.post("@ana what do you think?", room)


def schedule(socket: Socket, room: str) -> None:
    """Schedule messages."""
    for days, text in enumerate(TEXTS[:3], start=1):
        due_at = str(datetime.now(UTC) + timedelta(days=days))
        reminder = {
            "content": text,
            "conversation": room,
            "seq": days,
            "due_at": due_at,
            "client_id": str(uuid.uuid4()),
        }
        socket.call("remind_me", reminder)
        socket.call("schedule_message", message_payload(text, room) | {"due_at": due_at})


def start_session(person: Person, socket: Socket) -> tuple[str, str]:
    """Start a session with an assistant from a new template. Return the name of the session and the template's id."""
    created = person.api().post(
        "/templates",
        json={"name": "Minutes", "category": "Work", "tags": ["weekly"], "prompt": "Be brief.", "shared": True},
    )
    template = str(created.json()["id"])
    page = person.post("/sessions", "/sessions", assistant="helper", template=template)
    session = f"assistant_{re.findall('[0-9]+$', page.url)[0]}"
    socket.join(session)
    socket.post("What can you do?", session)
    socket.wait_for("assistant_done")
    return session, template
