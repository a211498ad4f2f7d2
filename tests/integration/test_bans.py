"""What ends at a ban, at the removal from a room and at a new password, and does not revive."""

import pytest
import requests

from tests.harness.api import MESSAGES, post_message
from tests.harness.assistants import start_session
from tests.harness.html import attribute
from tests.harness.people import PASSWORD, NewPerson, Person, room_path
from tests.harness.servers import Server
from tests.harness.waiting import eventually


def add_webhooks(manager: Person, room: str) -> str:
    """Add an incoming and an outgoing webhook to a room, and return the URL of the incoming one."""
    path = f"{room_path(room)}/webhooks"
    assert manager.post(path, path, name="deploy", url="https://example.com/").ok
    return attribute(manager.post(f"{path}/incoming", path, bot_name="Builder").text, "#webhook-url", "value")


def promote(server: Server, room: str, person: Person) -> None:
    """Make a member a manager."""
    number = room.removeprefix("room_")
    server.execute(
        f"UPDATE memberships SET role = 'manager' WHERE conversation_id = {number} AND user_id = {person.id}"
    )


def call_hook(url: str) -> int:
    return requests.post(url, data="from a program", timeout=30).status_code


@pytest.fixture
def people(any_server: Server, new_person: NewPerson) -> tuple[Person, Person]:
    """An admin, and a member."""
    ana, mallory = (new_person(any_server, name) for name in ("ana", "mallory"))
    return ana, mallory


def test_a_ban_ends_every_way_in_and_unbanning_revives_none(any_server: Server, people: tuple[Person, Person]) -> None:
    ana, mallory = people
    server = any_server
    invitation = ana.invitation()
    room = mallory.create_room()
    mallory.invite(room, ana)
    promote(server, room, ana)
    hook = add_webhooks(mallory, room)
    api = mallory.api()
    session = start_session(mallory)
    mallory.post(f"/conversations/{session}/share", "/sessions")
    (share_token,) = server.share_tokens()
    shared = f"{server.url}/shared/{share_token}"
    socket = mallory.connect()
    assert requests.get(shared, timeout=30).ok
    assert call_hook(hook) == 201
    post_message(api, "before")

    page = ana.get("/people/mallory/ban").text
    for line in ("API tokens that are revoked: 1", "Public links that are revoked: 1", "adopts them: 2", "links (1)"):
        assert line in page
    assert mallory.get("/").ok  # The page changes nothing.
    assert "was banned" in ana.post("/people/mallory/ban", "/people/mallory/ban", revokes_invitations="y").text

    def is_out() -> None:
        assert Person(server, "mallory").sign_in().status_code == 403
        assert Person(server, "mallory2").get(invitation.removeprefix(server.url)).status_code == 404

    is_out()
    eventually(lambda: not socket.is_connected(), "the socket is closed")
    assert mallory.get("/", allow_redirects=False).status_code == 302
    assert requests.get(shared, timeout=30).status_code == 404
    assert call_hook(hook) == 403
    # A message that mentions the suspended webhook is sent to nobody.
    ana.connect().post("@deploy now", room)
    assert server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)]

    ana.post("/people/mallory/ban/remove", "/people")
    assert Person(server, "mallory").sign_in().ok
    assert api.get(MESSAGES).status_code == 401
    assert requests.get(shared, timeout=30).status_code == 404
    assert call_hook(hook) == 403

    # Another manager adopts the webhooks, with a new URL and secret. They outlive the next ban.
    path = f"{room_path(room)}/webhooks"
    assert "2 suspended" in ana.get(f"{room_path(room)}/settings").text
    page = ana.get(path).text
    assert page.count("because its creator was banned or left the room") == 2
    ((incoming,),), ((outgoing,),) = (
        server.rows(f"SELECT id FROM {table}") for table in ("incoming_webhooks", "outgoing_webhooks")
    )
    (old_secret,) = server.webhook_secrets()
    new_hook = attribute(ana.post(f"{path}/incoming/{incoming}/adopt", path).text, "#webhook-url", "value")
    secret = attribute(ana.post(f"{path}/{outgoing}/adopt", path).text, "#secret", "value")
    assert server.webhook_secrets() == [secret] != [old_secret]
    assert ana.post(f"{path}/{outgoing}/adopt", path).status_code == 409
    assert [call_hook(hook), call_hook(new_hook)] == [404, 201]
    server.flask("users", "ban", "mallory")
    assert call_hook(new_hook) == 201
    kinds = [kind for (kind,) in server.rows("SELECT kind FROM audit_log ORDER BY id")]
    for kind, count in (
        ("token.revoked", 1), ("share_link.revoked", 1), ("invitation.revoked", 1), ("webhook.suspended", 2),
        ("webhook.adopted", 2), ("user.banned", 2), ("user.unbanned", 1),
    ):  # fmt: skip
        assert kinds.count(kind) == count, kind


def test_a_room_whose_only_manager_is_banned_gets_another(any_server: Server, people: tuple[Person, Person]) -> None:
    ana, mallory = people
    room = mallory.create_room()
    mallory.invite(room, ana)
    add_webhooks(mallory, room)
    any_server.flask("users", "ban", "mallory")
    path = f"{room_path(room)}/webhooks"
    ((number,),) = any_server.rows("SELECT id FROM incoming_webhooks")
    adopted = ana.post(f"{path}/incoming/{number}/adopt", path).text
    assert call_hook(attribute(adopted, "#webhook-url", "value")) == 201
    changed = any_server.rows("SELECT target, conversation FROM audit_log WHERE kind = 'member.role_changed'")
    assert changed == [("@ana is a manager", room)]
    # A banned member never becomes the manager.
    assert ana.post(f"{room_path(room)}/membership/end", f"{room_path(room)}/settings").ok
    assert "Recover Room" in ana.get("/admin/rooms").text


def test_webhooks_without_a_known_creator_are_suspended_with_any_manager_of_the_room(
    any_server: Server, people: tuple[Person, Person]
) -> None:
    ana, mallory = people
    hooks = [add_webhooks(person, person.create_room()) for person in (ana, mallory)]
    any_server.execute("UPDATE incoming_webhooks SET creator_id = NULL")
    any_server.flask("users", "ban", "mallory", "--revoke-invitations")
    assert [call_hook(hook) for hook in hooks] == [201, 403]


def test_the_webhooks_of_a_removed_member_are_suspended_in_that_room_only(
    any_server: Server, people: tuple[Person, Person]
) -> None:
    ana, mallory = people
    room, other = ana.create_room(), mallory.create_room()
    ana.invite(room, mallory)
    promote(any_server, room, mallory)
    hooks = [add_webhooks(mallory, room), add_webhooks(mallory, other)]
    promote(any_server, room, ana)
    ana.remove(room, mallory)
    assert [call_hook(hook) for hook in hooks] == [403, 201]
    assert mallory.get(room_path(room)).status_code == 404


def test_webhooks_without_a_known_creator_are_suspended_when_a_manager_is_removed(
    any_server: Server, people: tuple[Person, Person]
) -> None:
    ana, mallory = people
    rooms = [ana.create_room(), ana.create_room()]
    hooks = [add_webhooks(ana, room) for room in rooms]
    any_server.execute("UPDATE incoming_webhooks SET creator_id = NULL")
    for room in rooms:
        ana.invite(room, mallory)
    promote(any_server, rooms[0], mallory)
    for room in rooms:
        ana.remove(room, mallory)
    # In the second room she was no manager, so she cannot have created the webhook.
    assert [call_hook(hook) for hook in hooks] == [403, 201]


def test_a_new_password_revokes_the_api_tokens(server: Server, ana: Person, bob: Person) -> None:
    api, other = ana.api(), bob.api()
    page = ana.post("/settings/password", "/settings", current_password=PASSWORD, new_password="another password")
    assert "API tokens were revoked" in page.text
    assert api.get(MESSAGES).status_code == 401
    assert other.get(MESSAGES).ok
    assert "You have no tokens" in ana.get("/settings/tokens").text
