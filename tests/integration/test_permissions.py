"""The permission matrix: what each user may do through each route and event. A missing line fails a test."""

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
import requests
import socketio

from chatapp import create_app
from chatapp.config import Settings
from tests.harness.fuzzing import KEY, PAYLOADS
from tests.harness.html import find_csrf_token
from tests.harness.people import PASSWORD, Person, Socket, message_payload
from tests.harness.rows import add_people
from tests.harness.servers import NewServer, Server
from tests.harness.stored_files import attach, store_content

PEOPLE = ("admin", "manager", "member", "removed", "outsider", "blocked")
EVERYBODY = ("anonymous", *PEOPLE)

FILE = b"the file of the message"

Outcome = str | int
Outcomes = dict[str, Outcome]


def outcomes(default: Outcome, **others: Outcome) -> Outcomes:
    return {name: others.get(name, default) for name in EVERYBODY}


# The manager and the member, who sent its message, are in the room; the direct conversation has the blocked user too.
# For all others, including admins, neither of them exists.
OPEN = outcomes("ok")
USER = outcomes("ok", anonymous="sign in")
USER_POST = outcomes("ok", anonymous=401)
ADMIN_POST = outcomes(403, anonymous=401, admin="ok")
ADMIN = ADMIN_POST | {"anonymous": "sign in"}
ROOM = outcomes(404, anonymous="sign in", member="ok", manager="ok")
ROOM_POST = ROOM | {"anonymous": 401}
USER_API = USER_POST
ROOM_API = ROOM_POST
MANAGER_POST = ROOM_POST | {"member": 403}
DIRECT = ROOM | {"blocked": "ok"}
DIRECT_POST = ROOM_POST | {"blocked": 403}
DIRECT_API = DIRECT | {"anonymous": 401}
ABSENT = outcomes(404, anonymous="sign in")
ABSENT_POST = ABSENT | {"anonymous": 401}
ABSENT_EVENT: Outcomes = outcomes(404, anonymous="refused")
# The member owns the session with an assistant.
SESSION = ABSENT | {"member": "ok"}
SESSION_POST = ABSENT_POST | {"member": "ok"}
MEMBER_POST = SESSION_POST
"""Only the member has scheduled something."""
LATER = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%MZ}"
SESSION_EVENT = ABSENT_EVENT | {"member": "ok"}
REFUSED: Outcomes = {"anonymous": "refused"}


@dataclass(frozen=True)
class Line:
    """A line of the matrix: what is sent to a route or event, and the outcome for each user."""

    room: Outcomes
    direct: Outcomes | None = None
    """None if the route or event does not take a conversation."""
    sent: dict[str, object] = field(default_factory=dict)
    session: Outcomes | None = None
    """None if it does not take a session with an assistant."""


API = "/api/conversations/<conversation>"

ROUTES = {
    f"GET {API}": Line(ROOM_API, DIRECT_API),
    f"GET {API}/messages": Line(ROOM_API, DIRECT_API, session=SESSION_POST),
    f"POST {API}/messages": Line(ROOM_API, DIRECT_POST, {"content": "by the API"}, session=SESSION_POST),
    f"GET {API}/messages/<seq>": Line(ROOM_API, DIRECT_API),
    f"PATCH {API}/messages/<seq>": Line(
        ROOM_API | {"manager": 403}, DIRECT_POST | {"manager": 403}, {"content": "changed"}
    ),
    f"GET {API}/messages/<seq>/versions": Line(ROOM_API, DIRECT_API, session=SESSION_POST),
    f"DELETE {API}/messages/<seq>": Line(ROOM_API, DIRECT_POST | {"manager": 403}),
    f"DELETE {API}/messages/<seq>/previews": Line(ROOM_API, DIRECT_POST | {"manager": 403}),
    f"POST {API}/messages/<seq>/forward": Line(ROOM_API, DIRECT_API, {"to": "general"}, session=SESSION_POST),
    # The message is not deleted.
    f"POST {API}/messages/<seq>/undelete": Line(ROOM_API, DIRECT_POST),
    f"PUT {API}/messages/<seq>/reactions/<reaction>": Line(ROOM_API, DIRECT_POST),
    f"DELETE {API}/messages/<seq>/reactions/<reaction>": Line(ROOM_API, DIRECT_POST),
    f"PUT {API}/messages/<seq>/pin": Line(MANAGER_POST, DIRECT_POST),
    f"DELETE {API}/messages/<seq>/pin": Line(MANAGER_POST, DIRECT_POST),
    f"PUT {API}/messages/<seq>/saved": Line(ROOM_API, DIRECT_API, session=SESSION_POST),
    # It concerns only what the user has saved.
    f"DELETE {API}/messages/<seq>/saved": Line(USER_API, USER_API, session=USER_API),
    "GET /api/mentions": Line(USER_API),
    "GET /api/saved": Line(USER_API),
    "GET /api/search": Line(USER_API, sent={"q": "hello"}),
    "POST /api/uploads": Line(USER_API, sent={"name": "notes.txt", "size": 5}),
    # The request lacks the size. Everyone who knows an id may send bytes, but there is no such upload.
    "POST /uploads": Line(USER_POST),
    "PATCH /uploads/<upload_id>": Line(outcomes(415)),
    "DELETE /uploads/<upload_id>": Line(outcomes(404)),
    "GET /api/drafts": Line(USER_API),
    f"PUT {API}/draft": Line(ROOM_API, DIRECT_POST, {"content": "begun", "version": 0}, session=SESSION_POST),
    f"GET {API}/files": Line(ROOM_API, DIRECT_API, session=SESSION_POST),
    f"GET {API}/pins": Line(ROOM_API, DIRECT_API, session=SESSION_POST),
    f"POST {API}/read": Line(ROOM_API, DIRECT_API),
    f"GET {API}/files/<digest>/<name>": Line(ROOM_API, DIRECT_API, session=SESSION_POST),
    # Direct conversations and sessions with assistants have no picture that somebody could change.
    f"GET {API}/avatar/<digest>": Line(ROOM_API, DIRECT_API, session=SESSION_POST),
    f"PUT {API}/avatar": Line(
        MANAGER_POST,
        outcomes(404, anonymous=401, member=403, manager=403, blocked=403),
        {"upload": None},
        session=outcomes(404, anonymous=401, member=403),
    ),
    "GET /api/avatars/<digest>": Line(USER_API),
    "PUT /api/me/avatar": Line(USER_API, sent={"upload": None}),
    f"GET {API}/preferences": Line(ROOM_API, DIRECT_API, session=SESSION_POST),
    f"PATCH {API}/preferences": Line(ROOM_API, DIRECT_API, {"is_muted": True}, session=SESSION_POST),
    # A conversation with an assistant has no threads.
    f"GET {API}/threads/<seq>": Line(ROOM_API, DIRECT_API, session=ABSENT_POST),
    f"PUT {API}/threads/<seq>/follow": Line(ROOM_API, DIRECT_API, session=ABSENT_POST),
    f"DELETE {API}/threads/<seq>/follow": Line(ROOM_API, DIRECT_API, session=ABSENT_POST),
    f"POST {API}/threads/<seq>/read": Line(ROOM_API, DIRECT_API, {"seq": 1}, session=ABSENT_POST),
    "GET /api/threads": Line(USER_API),
    f"POST {API}/scheduled": Line(ROOM_API, DIRECT_POST, {"content": "later", "due_at": LATER}, session=SESSION_POST),
    "GET /api/scheduled": Line(USER_API),
    "GET /api/reminders": Line(USER_API),
    "POST /api/reminders": Line(USER_API, sent={"content": "call", "due_at": LATER}),
    "GET /api/reminders/<reminder_id>": Line(MEMBER_POST),
    "PATCH /api/reminders/<reminder_id>": Line(MEMBER_POST, sent={"due_at": LATER}),
    "DELETE /api/reminders/<reminder_id>": Line(MEMBER_POST),
    # Nobody but its author sees a scheduled message.
    "GET /api/scheduled/<scheduled_id>": Line(MEMBER_POST),
    "PATCH /api/scheduled/<scheduled_id>": Line(MEMBER_POST, sent={"content": "later"}),
    "DELETE /api/scheduled/<scheduled_id>": Line(MEMBER_POST),
    "GET /api/scheduled/<scheduled_id>/files/<digest>/<name>": Line(MEMBER_POST),
    "POST /api/scheduled/<scheduled_id>/send": Line(MEMBER_POST),
    "GET /api/conversations": Line(USER_API),
    "GET /api/chat/history/<person_id>": Line(USER_API),
    "GET /api/chat/history": Line(USER_API, sent={"bot_id": "helper"}),
    "DELETE /api/chat/history": Line(ADMIN_POST, sent={"bot_id": "helper"}),
    "GET /api/sessions": Line(USER_API),
    "POST /api/sessions": Line(USER_API),
    "GET /api/sessions/<session_id>": Line(ABSENT_POST, session=SESSION_POST),
    "PATCH /api/sessions/<session_id>": Line(ABSENT_POST, sent={"title": "New"}, session=SESSION_POST),
    "DELETE /api/sessions/<session_id>": Line(ABSENT_POST, session=SESSION_POST),
    "GET /api/sessions/<session_id>/messages": Line(ABSENT_POST, session=SESSION_POST),
    "POST /api/sessions/<session_id>/messages": Line(ABSENT_POST, sent={"content": "by the API"}, session=SESSION_POST),
    "GET /api/templates": Line(USER_API),
    "POST /api/templates": Line(ADMIN_POST, sent={"name": "Minutes", "shared": True}),
    # The template is for everyone.
    "GET /api/templates/<template_id>": Line(USER_API),
    "PATCH /api/templates/<template_id>": Line(ADMIN_POST, sent={"name": "New"}),
    "DELETE /api/templates/<template_id>": Line(ADMIN_POST),
    # Nobody has direct messages with themselves here.
    "POST /api/chat/mark-read/<person_id>": Line(outcomes(404, anonymous=401)),
    "POST /api/conversations": Line(USER_API, sent={"kind": "direct", "people": ["admin"]}),
    "GET /api/docs": Line(USER),
    "GET /api/openapi.json": Line(OPEN),
    "GET /settings/tokens": Line(USER),
    "POST /settings/tokens": Line(
        USER_POST, sent={"name": "program", "scope": "read", "days": "7", "password": PASSWORD}
    ),
    # There is no such token.
    "POST /settings/tokens/<token_id>/revoke": Line(outcomes(404, anonymous=401)),
    "GET /": Line(USER),
    "GET /assistants/<assistant>": Line(USER),
    "GET /sessions": Line(USER),
    "POST /sessions": Line(USER_POST, sent={"assistant": "helper"}),
    "GET /templates": Line(USER),
    "GET /templates/new": Line(USER),
    "POST /templates/new": Line(ADMIN_POST, sent={"name": "Minutes", "visibility": "shared"}),
    "GET /templates/<template_id>": Line(ADMIN),
    "POST /templates/<template_id>": Line(ADMIN_POST, sent={"name": "New"}),
    "POST /templates/<template_id>/delete": Line(ADMIN_POST),
    "GET /sessions/<session_id>": Line(ABSENT, session=SESSION),
    "GET /sessions/<session_id>/title": Line(ABSENT, session=SESSION),
    "POST /sessions/<session_id>/title": Line(ABSENT_POST, sent={"title": "New"}, session=SESSION_POST),
    "POST /sessions/<session_id>/pin": Line(ABSENT_POST, sent={"pinned": "yes"}, session=SESSION_POST),
    "POST /sessions/<session_id>/end": Line(ABSENT_POST, session=SESSION_POST),
    "POST /sessions/<session_id>/delete": Line(ABSENT_POST, session=SESSION_POST),
    "POST /conversations/<conversation>/preferences": Line(
        ROOM_POST, DIRECT | {"anonymous": 401}, {"muted": "yes"}, session=SESSION_POST
    ),
    "POST /conversations/<conversation>/clear": Line(
        MANAGER_POST, DIRECT_POST | {"manager": 403, "member": 403}, session=SESSION_POST
    ),
    "POST /conversations/<conversation>/read": Line(ROOM_POST, DIRECT_API, {"seq": "1"}, session=SESSION_POST),
    "GET /conversations/<conversation>/date": Line(ROOM, DIRECT, {"date": "2026-01-01"}, session=SESSION),
    "GET /conversations/<conversation>/export.<file_format>": Line(ABSENT, ABSENT, session=SESSION),
    "POST /conversations/<conversation>/share": Line(ABSENT_POST, ABSENT_POST, session=SESSION_POST),
    "POST /conversations/<conversation>/unshare": Line(ABSENT_POST, ABSENT_POST, session=SESSION_POST),
    # Everyone who knows a token may, but this one is wrong.
    "GET /shared/<token>": Line(outcomes(404)),
    "GET /conversations/<conversation>/messages": Line(
        ROOM | {"anonymous": 401}, DIRECT | {"anonymous": 401}, session=SESSION_POST
    ),
    "GET /conversations/<conversation>/messages/<seq>": Line(ROOM, DIRECT, session=SESSION),
    "GET /conversations/<conversation>/messages/<seq>/quote": Line(
        ROOM | {"anonymous": 404}, DIRECT | {"anonymous": 404}, session=SESSION | {"anonymous": 404}
    ),
    "GET /quotes": Line(USER | {"anonymous": 401}),
    "GET /conversations/<conversation>/messages/<seq>/forward": Line(ROOM, DIRECT, session=SESSION),
    "POST /conversations/<conversation>/messages/<seq>/forward": Line(
        ROOM_POST, DIRECT_API, {"to": "general", "form_id": KEY}, session=SESSION_POST
    ),
    "GET /conversations/<conversation>/quotes": Line(ROOM_API, DIRECT_API, {"seq": "1"}, session=SESSION_POST),
    "GET /conversations/<conversation>/messages/<seq>/context": Line(ROOM_API, DIRECT_API, session=SESSION_POST),
    "GET /conversations/<conversation>/messages/<seq>/versions": Line(ROOM, DIRECT, session=SESSION),
    "POST /conversations/<conversation>/messages/<seq>/pin": Line(
        MANAGER_POST, DIRECT_POST, {"pinned": "yes"}, session=SESSION_POST
    ),
    "POST /conversations/<conversation>/messages/<seq>/saved": Line(
        ROOM_POST, DIRECT_API, {"saved": "yes"}, session=SESSION_POST
    ),
    "GET /saved": Line(USER),
    "GET /search": Line(USER),
    "GET /search/count": Line(USER),
    "GET /search/results": Line(USER),
    "POST /conversations/<conversation>/messages/<seq>/undelete": Line(ROOM_POST, DIRECT_POST, session=SESSION_POST),
    "GET /conversations/<conversation>/files/<digest>/<name>": Line(ROOM, DIRECT, session=SESSION),
    "GET /conversations/<conversation>/avatar/<digest>": Line(ROOM, DIRECT, session=SESSION),
    "GET /conversations/<conversation>/files": Line(ROOM, DIRECT, session=SESSION),
    "GET /conversations/<conversation>/pins": Line(ROOM, DIRECT, session=SESSION),
    "POST /conversations/<conversation>/preview": Line(
        ROOM_POST, DIRECT_POST, {"content": "a preview"}, session=SESSION_POST
    ),
    "POST /conversations/<conversation>/messages": Line(
        ROOM_POST, DIRECT_POST, {"content": "by form"}, session=SESSION_POST
    ),
    "GET /conversations/<conversation>/threads/<seq>": Line(ROOM, DIRECT, session=ABSENT),
    "POST /conversations/<conversation>/threads/<seq>/follow": Line(
        ROOM_POST, DIRECT_API, {"follow": "yes"}, session=ABSENT_POST
    ),
    "POST /conversations/<conversation>/threads/<seq>/read": Line(
        ROOM_POST, DIRECT_API, {"seq": "1"}, session=ABSENT_POST
    ),
    "GET /threads": Line(USER),
    "GET /scheduled": Line(USER),
    "POST /reminders/<reminder_id>": Line(MEMBER_POST, sent={"due_at": LATER}),
    "POST /reminders/<reminder_id>/done": Line(MEMBER_POST),
    "POST /scheduled/<scheduled_id>": Line(MEMBER_POST, sent={"content": "later"}),
    "POST /scheduled/<scheduled_id>/delete": Line(MEMBER_POST),
    "GET /scheduled/<scheduled_id>/files/<digest>/<name>": Line(SESSION),
    "POST /scheduled/<scheduled_id>/send": Line(MEMBER_POST),
    "GET /conversations/<conversation>/people": Line(ROOM | {"anonymous": 401}, DIRECT | {"anonymous": 401}),
    "GET /conversations/<conversation>/commands": Line(ROOM, DIRECT, session=SESSION),
    "GET /destinations": Line(USER | {"anonymous": 401}),
    "GET /destinations/conversations": Line(USER | {"anonymous": 401}),
    "GET /destinations/people": Line(USER | {"anonymous": 401}),
    "GET /direct": Line(USER),
    "POST /direct": Line(USER_POST, sent={"person": "admin"}),
    "POST /direct/<name>/block": Line(USER_POST),
    "POST /direct/<name>/unblock": Line(USER_POST),
    "GET /direct/<names>": Line(USER),
    "GET /mentions": Line(USER),
    "GET /metrics": Line(OPEN),
    "GET /manifest.webmanifest": Line(OPEN),
    "GET /service-worker.js": Line(OPEN),
    "GET /offline": Line(OPEN),
    "GET /invitation/<token>": Line(outcomes(404)),
    "POST /invitation/<token>": Line(outcomes(404)),
    "GET /people": Line(USER),
    "GET /people/invitations": Line(ADMIN),
    "POST /people/invitations": Line(ADMIN_POST),
    # There is no such invitation.
    "POST /people/invitations/<invitation_id>/revoke": Line(ADMIN_POST | {"admin": 404}),
    "POST /people/invitations/revoke": Line(ADMIN_POST),
    # There is no user of that name.
    "GET /people/<username>": Line(ABSENT),
    "GET /people/<username>/ban": Line(ADMIN | {"admin": 404}),
    "POST /people/<username>/ban": Line(ADMIN_POST | {"admin": 404}),
    "POST /people/<username>/ban/remove": Line(ADMIN_POST | {"admin": 404}),
    "GET /admin/access": Line(ADMIN),
    "POST /admin/switches": Line(ADMIN_POST, sent={"has_share_links": "y", "has_outgoing_webhooks": "y"}),
    # There are no such webhooks, links and tokens, and the room has members.
    "POST /admin/webhooks/<direction>/<webhook_id>/revoke": Line(ADMIN_POST | {"admin": 404}),
    "POST /admin/share-links/<conversation_id>/revoke": Line(ADMIN_POST | {"admin": 404}),
    "POST /admin/tokens/<token_id>/revoke": Line(ADMIN_POST | {"admin": 404}),
    "GET /admin/rooms": Line(ADMIN),
    "POST /admin/rooms/<room_id>/recover": Line(ADMIN_POST | {"admin": 404}),
    "GET /admin/assistants": Line(ADMIN),
    "GET /admin/assistants/<assistant>/picture": Line(ADMIN),
    "POST /admin/assistants/<assistant>/picture": Line(ADMIN_POST),
    "POST /admin/assistants/<assistant>/picture/remove": Line(ADMIN_POST),
    "GET /admin/emoji": Line(ADMIN),
    "POST /admin/emoji": Line(ADMIN_POST),
    "POST /admin/emoji/<name>/delete": Line(ADMIN_POST | {"admin": 404}),
    "GET /api/emoji": Line(USER_API),
    "POST /api/emoji": Line(ADMIN_POST, sent={"name": "new", "upload": "1-0"}),
    "GET /api/emoji/<emoji>": Line(USER_API),
    "DELETE /api/emoji/<emoji>": Line(ADMIN_POST),
    "GET /emoji.json": Line(USER),
    "GET /emoji/<digest>": Line(ABSENT),
    "GET /admin/audit-log": Line(ADMIN),
    "GET /admin/status": Line(ADMIN),
    "GET /admin/status.json": Line(ADMIN),
    "GET /admin/audit-log.<file_format>": Line(ADMIN),
    "GET /rooms": Line(USER),
    "GET /rooms/new": Line(USER),
    "POST /rooms/new": Line(USER_POST, sent={"name": "Another room"}),
    "GET /rooms/<room_id>": Line(ROOM),
    "POST /rooms/<room_id>/archive": Line(MANAGER_POST),
    "POST /rooms/<room_id>/restore": Line(MANAGER_POST),
    "POST /rooms/<room_id>/commands": Line(MANAGER_POST, sent={"content": "/topic changed"}),
    "POST /rooms/<room_id>/members": Line(ROOM_POST, sent={"username": "admin"}),
    "POST /rooms/<room_id>/members/<user_id>/remove": Line(MANAGER_POST),
    "POST /rooms/<room_id>/membership": Line(ROOM_POST),
    "POST /rooms/<room_id>/membership/end": Line(ROOM_POST),
    "GET /rooms/<room_id>/settings": Line(ROOM),
    "GET /rooms/<room_id>/webhooks": Line(ROOM | {"member": 403}),
    "POST /rooms/<room_id>/webhooks": Line(MANAGER_POST, sent={"name": "hook", "url": "https://example.com/"}),
    "POST /rooms/<room_id>/webhooks/incoming": Line(MANAGER_POST, sent={"bot_name": "Builder"}),
    "POST /rooms/<room_id>/webhooks/incoming/<webhook_id>/remove": Line(MANAGER_POST | {"manager": 404}),
    "POST /rooms/<room_id>/webhooks/incoming/<webhook_id>/adopt": Line(MANAGER_POST | {"manager": 404}),
    "POST /rooms/<room_id>/webhooks/<webhook_id>/adopt": Line(MANAGER_POST | {"manager": 404}),
    # Everyone who knows a token may, but this one is wrong.
    "POST /hooks/<token>": Line(outcomes(404), sent={"text": "hello"}),
    # The manager may, but this room has no such webhook.
    "POST /rooms/<room_id>/webhooks/<webhook_id>/command": Line(MANAGER_POST | {"manager": 404}),
    "POST /rooms/<room_id>/webhooks/<webhook_id>/remove": Line(MANAGER_POST | {"manager": 404}),
    "GET /rooms/<room_id>/picture": Line(ROOM | {"member": 403}),
    # The request lacks the picture.
    "POST /rooms/<room_id>/picture": Line(MANAGER_POST),
    "POST /rooms/<room_id>/picture/remove": Line(MANAGER_POST),
    "POST /rooms/<room_id>/settings": Line(MANAGER_POST, sent={"name": "Mine", "visibility": "open"}),
    "GET /settings": Line(USER),
    "GET /settings/picture": Line(USER),
    # The request lacks the picture.
    "POST /settings/picture": Line(USER_POST),
    "POST /settings/picture/remove": Line(USER_POST),
    "GET /avatars/<digest>": Line(USER),
    "POST /settings/name": Line(USER_POST, sent={"name": "Somebody"}),
    "POST /settings/password": Line(USER_POST),
    "POST /settings/receipts": Line(USER_POST),
    "POST /settings/logins/end": Line(USER_POST),
    # There is no such login session.
    "POST /settings/logins/<login_session_id>/end": Line(outcomes(404, anonymous=401)),
    "GET /setup": Line(outcomes(404)),
    "GET /setup/<token>": Line(outcomes(404)),
    "POST /setup/<token>": Line(outcomes(404)),
    "GET /sidebar": Line(USER | {"anonymous": 401}),
    "GET /sign-in": Line(OPEN),
    "POST /sign-in": Line(OPEN),
    "GET /static/<filename>": Line(OPEN),
    "POST /sign-out": Line(USER_POST),
}

EVENTS = {
    "join_chat": Line(ROOM | REFUSED, DIRECT | REFUSED, session=SESSION_EVENT),
    # It needs no membership and reveals nothing.
    "leave_chat": Line(OPEN | REFUSED, OPEN | REFUSED),
    "send_message": Line(ROOM | REFUSED, DIRECT_POST | REFUSED, {"content": "by socket"}, session=SESSION_EVENT),
    # The room has no answer of an assistant.
    "stop_answer": Line(ABSENT_EVENT, ABSENT_EVENT | {"blocked": 403}, {"seq": 2}, session=SESSION_EVENT),
    "answer_again": Line(ABSENT_EVENT, ABSENT_EVENT | {"blocked": 403}, {"seq": 2}, session=SESSION_EVENT),
    "edit_message": Line(
        ROOM | REFUSED | {"manager": 403}, DIRECT_POST | REFUSED | {"manager": 403}, {"content": "changed", "seq": 1}
    ),
    "delete_message": Line(ROOM | REFUSED, DIRECT_POST | REFUSED | {"manager": 403}, {"seq": 1}),
    # The message is not deleted.
    "undelete_message": Line(ROOM | REFUSED, DIRECT_POST | REFUSED, {"seq": 1}),
    "message_versions": Line(ROOM | REFUSED, DIRECT | REFUSED, {"seq": 1}, session=SESSION_EVENT),
    "react": Line(ROOM | REFUSED, DIRECT_POST | REFUSED, {"seq": 1, "reaction": "👍"}),
    "pin_message": Line(MANAGER_POST | REFUSED, DIRECT_POST | REFUSED, {"seq": 1, "on": True}, session=SESSION_EVENT),
    "remove_previews": Line(ROOM | REFUSED, DIRECT_POST | REFUSED | {"manager": 403}, {"seq": 1}),
    "save_message": Line(ROOM | REFUSED, DIRECT | REFUSED, {"seq": 1, "on": True}, session=SESSION_EVENT),
    "saved_messages": Line(ROOM | REFUSED, DIRECT | REFUSED, session=SESSION_EVENT),
    "save_draft": Line(
        ROOM | REFUSED, DIRECT_POST | REFUSED, {"content": "begun", "version": 0}, session=SESSION_EVENT
    ),
    "draft": Line(ROOM | REFUSED, DIRECT | REFUSED, session=SESSION_EVENT),
    "run_command": Line(ROOM | REFUSED | {"member": 403}, outcomes(400) | REFUSED, {"content": "/topic changed"}),
    "typing": Line(ROOM | REFUSED, DIRECT_POST | REFUSED),
    "presence": Line(OPEN | REFUSED, sent={"state": "online"}),
    "schedule_message": Line(
        ROOM | REFUSED, DIRECT_POST | REFUSED, {"content": "later", "due_at": LATER}, session=SESSION_EVENT
    ),
    "remind_me": Line(
        ROOM | REFUSED, DIRECT | REFUSED, {"content": "call", "due_at": LATER, "seq": 1}, session=SESSION_EVENT
    ),
    "move_reminder": Line(SESSION_EVENT, sent={"due_at": LATER}),
    "finish_reminder": Line(SESSION_EVENT),
    "change_scheduled": Line(SESSION_EVENT, sent={"content": "later"}),
    "delete_scheduled": Line(SESSION_EVENT),
    "send_scheduled": Line(SESSION_EVENT),
    "create_upload": Line(USER | REFUSED, sent={"name": "notes.txt", "size": 5}),
    "mark_as_read": Line(ROOM | REFUSED, DIRECT | REFUSED, {"seq": 1}),
    "mark_as_unread": Line(ROOM | REFUSED, DIRECT | REFUSED, {"seq": 1}),
    # A conversation with an assistant has no threads.
    "follow_thread": Line(ROOM | REFUSED, DIRECT | REFUSED, {"thread": 1}, session=ABSENT_EVENT),
    "mark_thread_read": Line(ROOM | REFUSED, DIRECT | REFUSED, {"thread": 1, "seq": 1}, session=ABSENT_EVENT),
    "mark_thread_unread": Line(ROOM | REFUSED, DIRECT | REFUSED, {"thread": 1, "seq": 1}, session=ABSENT_EVENT),
}

CODES = {"invalid": 400, "not_found": 404, "forbidden": 403, "signed_out": 401}


def test_every_route_and_every_event_has_a_line(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path))
    served = {
        f"{method} {without_converters(rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == set(ROUTES)
    handled = set(app.extensions["socketio"].server.handlers["/"]) - {"connect", "disconnect"}
    assert handled == set(EVENTS)


def without_converters(rule: str) -> str:
    return re.sub(r"<[^>]*?(\w+)>", r"<\1>", rule)


class Installation:
    """A server with all users, and conversations on demand: what was changed is not used again."""

    def __init__(self, server: Server, people: dict[str, Person]) -> None:
        self.server = server
        self.people = people
        self._unchanged: dict[str, str] = {}
        self.ids = {str(name): number for number, name in server.rows("SELECT id, username FROM users")}

    def conversation(self, kind: str) -> str:
        """Return an unchanged conversation of a kind: "room", "direct" or "session"."""
        if kind not in self._unchanged:
            create = {"room": self.new_room, "direct": self.new_direct, "session": self.new_session}
            self._unchanged[kind] = create[kind]()
        return self._unchanged[kind]

    def forget_conversations(self) -> None:
        """Create new conversations from now on: those that exist were changed."""
        self._unchanged.clear()

    def new_room(self) -> str:
        """Create a room with the manager and the member, who has sent a message."""
        return self._make("room", manager="manager", member="member")

    def new_direct(self) -> str:
        """Create a direct conversation of the manager, the member, who has sent a message, and the blocked user."""
        return self._make("direct", manager="member", member="member", blocked="member")

    def new_session(self) -> str:
        """Create a session of the member with an assistant, which has answered."""
        name = self._make("assistant", member="manager")
        number, member = name.partition("_")[2], self.ids["member"]
        self.server.execute(
            "INSERT INTO messages (conversation_id, seq, version, sender_type, sender_name, message_type, content, "
            f"created_at, state, reply_to, asker_id) VALUES ({number}, 2, 2, 'assistant', 'Helper', 'text', "
            f"'answered', '2026-01-01 00:00:00', 'complete', 1, {member})"
        )
        self.server.execute(f"UPDATE conversations SET last_event = 2 WHERE id = {number}")
        return name

    def new_picture(self) -> str:
        """Give the outsider a picture, and return its digest."""
        self.conversation("room")  # Its message has the same content, which is stored.
        digest = sha256(FILE).hexdigest()
        self.server.execute(f"UPDATE users SET avatar_digest = '{digest}' WHERE username = 'outsider'")
        return digest

    def new_emoji(self) -> str:
        """Create a custom emoji. Return its name."""
        name = uuid.uuid4().hex
        digest = store_content(self.server, b"the image of an emoji")
        self.server.execute(
            "INSERT INTO custom_emoji (name, digest, media_type, width, height, created_at) VALUES "
            f"('{name}', '{digest}', 'image/png', 1, 1, '2026-01-01 00:00:00')"
        )
        return name

    def new_template(self) -> str:
        """Create a session template for everyone, and return its id."""
        moment = "'2026-01-01 00:00:00'"
        self.server.execute(
            "INSERT INTO session_templates (name, prompt, messages, category, tags, created_at, updated_at) "
            f"VALUES ('Minutes', '', '[]', '', '', {moment}, {moment})"
        )
        ((number,),) = self.server.rows("SELECT max(id) FROM session_templates")
        return str(number)

    def new_scheduled(self) -> str:
        """Create a scheduled message of the member with a file, and return its id."""
        self.conversation("room")  # Its message has the same content, which is stored.
        self.server.execute(
            "INSERT INTO scheduled_messages (user_id, conversation_id, client_id, content, due_at, created_at) VALUES "
            f"({self.ids['member']}, 1, '{uuid.uuid4()}', 'later', '2100-01-01 00:00:00', '2026-01-01 00:00:00')"
        )
        ((number,),) = self.server.rows("SELECT max(id) FROM scheduled_messages")
        self.server.execute(
            "INSERT INTO scheduled_files (scheduled_id, position, digest, name, media_type, kind, size, alt) VALUES "
            f"({number}, 0, '{sha256(FILE).hexdigest()}', 'file.bin', 'application/octet-stream', 'other', 1, '')"
        )
        return str(number)

    def new_reminder(self) -> str:
        """Create a reminder of the member, and return its id."""
        self.server.execute(
            "INSERT INTO reminders (user_id, client_id, content, due_at, created_at) VALUES "
            f"({self.ids['member']}, '{uuid.uuid4()}', 'call', '2100-01-01 00:00:00', '2026-01-01 00:00:00')"
        )
        ((number,),) = self.server.rows("SELECT max(id) FROM reminders")
        return str(number)

    def _make(self, kind: str, **roles: str) -> str:
        ((number,),) = self.server.rows("SELECT max(id) + 1 FROM conversations")
        moment = "'2026-01-01 00:00:00'"
        key = f"'key {number}'" if kind == "direct" else "NULL"
        assistant = "'helper'" if kind == "assistant" else "NULL"
        self.server.execute(
            "INSERT INTO conversations (id, kind, name, topic, visibility, last_event, floor, created_at, updated_at, "
            "direct_key, assistant, avatar_digest) VALUES "
            f"({number}, '{kind}', 'Secret', '', 'private', 1, 0, {moment}, {moment}, "
            f"{key}, {assistant}, '{sha256(FILE).hexdigest()}')"
        )
        self.server.execute(
            "INSERT INTO memberships (conversation_id, user_id, role, created_at, is_blocked) VALUES "
            + ", ".join(
                f"({number}, {self.ids[name]}, '{role}', {moment}, {str(name == 'blocked').upper()})"
                for name, role in roles.items()
            )
        )
        self.server.execute(
            "INSERT INTO messages (conversation_id, seq, version, sender_id, sender_type, message_type, content, "
            f"created_at) VALUES ({number}, 1, 1, {self.ids['member']}, 'user', 'text', 'said', {moment})"
        )
        attach(self.server, f"{kind}_{number}", 1, FILE)
        return f"{kind}_{number}"


@pytest.fixture(scope="module")
def installation(new_shared_server: NewServer) -> Iterator[Installation]:
    """One server for all tests: each line creates its own conversation."""
    server = new_shared_server().start()
    people = dict(zip(PEOPLE, add_people(server, *PEOPLE), strict=True))
    yield Installation(server, people)
    for person in people.values():
        person.close()


@pytest.mark.parametrize("name", EVERYBODY)
def test_routes_have_the_outcomes_of_the_matrix(installation: Installation, name: str) -> None:
    http = installation.people[name].http if name in installation.people else requests.Session()
    page = http.get(installation.server.url + ("/people" if name in installation.people else "/sign-in"))
    token = find_csrf_token(page.text)

    def use(route: str, conversation: str, sent: dict[str, object]) -> Outcome:
        method, path = route.split()
        values = {
            "conversation": conversation,
            "room_id": conversation.partition("_")[2],
            "session_id": conversation.partition("_")[2],
            "assistant": "helper",
            "user_id": installation.ids["member"],
            "name": "outsider" if name != "outsider" else "member",
            "digest": installation.new_picture() if "/avatars/" in path else sha256(FILE).hexdigest(),
            "names": "admin",
            "username": "nobody",
            "token": "wrong",
            "file_format": "csv" if "audit-log" in path else "md",
            "filename": "icon.svg",
            "webhook_id": 1,
            "seq": 1,
            "reaction": "👍",
            "emoji": installation.new_emoji() if "<emoji>" in path else "",
            "person_id": installation.ids.get(name, 1),
            "token_id": 2**31 - 1,
            "invitation_id": 2**31 - 1,
            "conversation_id": 2**31 - 1,
            "direction": "outgoing",
            "login_session_id": 2**31 - 1,
            "upload_id": "1-0",
            "template_id": installation.new_template() if "<template_id>" in path else 0,
            "scheduled_id": installation.new_scheduled() if "<scheduled_id>" in path else 0,
            "reminder_id": installation.new_reminder() if "<reminder_id>" in path else 0,
        }
        path = re.sub(r"<(\w+)>", lambda match: str(values[match[1]]), path)
        form = message_payload("") | {"csrf_token": token} | sent
        body: dict[str, object] = {"data": form if method == "POST" else None}
        if path.startswith("/api/"):
            key = "json" if method in {"POST", "PATCH", "PUT"} else "params"
            body = {key: sent, "headers": {"X-CSRFToken": token}}
        response = http.request(method, installation.server.url + path, allow_redirects=False, timeout=30, **body)  # type: ignore[arg-type]
        if response.is_redirect and "/sign-in" in response.headers["Location"] and route != "POST /sign-out":
            return "sign in"
        # An error about the input means that the user was authorized. Too many wrong invitations are a 429.
        status = 404 if response.status_code == 429 else response.status_code
        return "ok" if response.ok or status in {400, 409, 422} else status

    assert_outcomes(ROUTES, installation, name, use)
    if name in installation.people:
        installation.people[name].sign_in()


def test_a_token_that_may_only_read_writes_by_no_route_and_opens_no_page(installation: Installation) -> None:
    token = installation.people["member"].create_token("read")
    for route, line in ROUTES.items():
        method, path = route.split()
        if line.room == OPEN:
            continue
        values = {
            "conversation": installation.conversation("room"),
            "seq": 1,
            "reaction": "👍",
            "emoji": installation.new_emoji() if "<emoji>" in path else "",
            "person_id": installation.ids["manager"],
            "digest": installation.new_picture() if "/avatars/" in path else sha256(FILE).hexdigest(),
            "upload_id": "1-0",
            "template_id": installation.new_template(),
            "scheduled_id": installation.new_scheduled() if "<scheduled_id>" in path else 0,
            "reminder_id": installation.new_reminder() if "<reminder_id>" in path else 0,
            "session_id": installation.conversation("session").partition("_")[2],
        }
        path = re.sub(r"<(\w+)>", lambda match, values=values: str(values.get(match[1], 1)), path)  # type: ignore[misc]
        response = requests.request(
            method,
            installation.server.url + path,
            headers={"Authorization": f"Bearer {token}"},
            params={name: str(value) for name, value in line.sent.items()} if method == "GET" else None,
            json=line.sent if path.startswith("/api/") and method in {"POST", "PATCH", "PUT"} else None,
            allow_redirects=False,
            timeout=30,
        )
        if path.startswith("/api/") and path != "/api/docs":
            assert response.status_code == (200 if method == "GET" else 403), route
        else:
            assert not response.ok or response.is_redirect, route


@pytest.mark.parametrize("name", PEOPLE)
def test_events_have_the_outcomes_of_the_matrix(installation: Installation, name: str) -> None:
    socket: Socket = installation.people[name].connect()

    def use(event: str, conversation: str, sent: dict[str, object]) -> Outcome:
        payload = message_payload("") | sent | {"conversation": conversation}
        if event.endswith("_scheduled"):
            payload["id"] = int(installation.new_scheduled())
        elif event.endswith("_reminder"):
            payload["id"] = int(installation.new_reminder())
        ack = socket.call(event, {name: value for name, value in payload.items() if name in PAYLOADS[event]})
        if ack["ok"] or ack["error"]["code"] not in CODES:
            return "ok"
        return CODES[ack["error"]["code"]]

    assert_outcomes(EVENTS, installation, name, use)


def test_a_socket_without_a_login_session_is_refused(installation: Installation) -> None:
    with pytest.raises(socketio.exceptions.ConnectionError):
        socketio.Client(reconnection=False).connect(installation.server.url, transports=["websocket"])


def assert_outcomes(
    lines: dict[str, Line], installation: Installation, name: str, use: Callable[[str, str, dict[str, object]], Outcome]
) -> None:
    """Use every route or event on each kind of conversation that it takes, and compare the outcomes with the matrix."""
    found, expected = {}, {}
    for target, line in lines.items():
        for kind in ("room", "direct", "session"):
            outcomes_of_kind = getattr(line, kind)
            if outcomes_of_kind is None:
                continue
            found[f"{target}, {kind}"] = outcome = use(target, installation.conversation(kind), line.sent)
            expected[f"{target}, {kind}"] = outcomes_of_kind[name]
            if outcome == "ok" and not target.startswith("GET "):
                installation.forget_conversations()
    assert found == expected
