"""Pages for admins: all webhooks, links and tokens without their secrets, switches, and rooms without members."""

import pytest
import requests

from tests.harness.api import MESSAGES
from tests.harness.assistants import start_session
from tests.harness.html import attribute
from tests.harness.people import NewPerson, Person, room_path
from tests.harness.servers import Server

PAGE = "/admin/access"


@pytest.fixture
def people(any_server: Server, new_person: NewPerson) -> tuple[Person, Person]:
    """An admin, and a member who has a webhook of each kind, a share link and a token."""
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    return ana, bob


def test_admins_see_all_webhooks_links_and_tokens_but_no_secret_and_can_revoke_them(
    any_server: Server, people: tuple[Person, Person]
) -> None:
    ana, bob = people
    path = f"{room_path(bob.create_room('Secret plans'))}/webhooks"
    bob.post(path, path, name="deploy", url="https://example.com/services/T0/secret?key=1")
    hook = attribute(bob.post(f"{path}/incoming", path, bot_name="Builder").text, "#webhook-url", "value")
    session = start_session(bob)
    bob.post(f"/conversations/{session}/share", "/sessions")
    token = bob.create_token(name="Nightly report")
    api = bob.api(token)
    assert api.get(MESSAGES).ok
    ana.create_token(name="Mine")

    page = ana.get(PAGE).text
    for shown in ("deploy", "Builder", "example.com", session, "Nightly report", "Of @bob", "Mine"):
        assert shown in page
    for secret in (
        *any_server.share_tokens(),
        *any_server.webhook_secrets(),
        token,
        hook.rpartition("/")[2],
        "services",
        "Secret plans",
    ):
        assert secret not in page
    assert "expires on" in page
    assert "Mine" not in ana.get(PAGE, params={"person": "@Bob"}).text

    number = session.removeprefix("assistant_")
    ((token_id,),) = any_server.rows("SELECT id FROM api_tokens WHERE name = 'Nightly report'")
    for target in ("webhooks/incoming/1", "webhooks/outgoing/1", f"share-links/{number}", f"tokens/{token_id}"):
        assert ana.post(f"/admin/{target}/revoke", PAGE).ok
        assert ana.post(f"/admin/{target}/revoke", PAGE).status_code == 404
    assert requests.post(hook, data="x", timeout=30).status_code == 404
    assert api.get(MESSAGES).status_code == 401
    for table in ("incoming_webhooks", "outgoing_webhooks", "share_links"):
        assert any_server.rows(f"SELECT count(*) FROM {table}") == [(0,)]
    kinds = any_server.rows("SELECT kind FROM audit_log WHERE actor = 'ana' ORDER BY id DESC LIMIT 4")
    assert kinds[::-1] == [("webhook.deleted",), ("webhook.deleted",), ("share_link.revoked",), ("token.revoked",)]


def test_public_links_and_outgoing_webhooks_can_be_switched_off_for_the_installation(
    any_server: Server, people: tuple[Person, Person]
) -> None:
    ana, bob = people
    room = bob.create_room()
    path = f"{room_path(room)}/webhooks"
    bob.post(path, path, name="deploy", url="https://example.invalid/")
    session = start_session(bob)
    share = f"/conversations/{session}/share"
    bob.post(share, "/sessions")
    (token,) = any_server.share_tokens()
    shared = f"{any_server.url}/shared/{token}"
    assert requests.get(shared, timeout=30).ok

    assert ana.post("/admin/switches", PAGE).ok
    assert requests.get(shared, timeout=30).status_code == 404
    refused = bob.post(share, "/sessions")
    assert (refused.status_code, "switched public links off" in refused.text) == (403, True)
    menus = [bob.get(f"/sessions/{each.removeprefix('assistant_')}").text for each in (session, start_session(bob))]
    assert ["This link does not work" in menu for menu in menus] == [True, False]
    assert [f'action="/conversations/{session}/unshare"' in menu for menu in menus] == [True, False]
    assert not any('/share"' in menu for menu in menus), "the menu offers only what is permitted"
    bob.connect().post("@deploy now", room)
    assert any_server.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)]
    assert "switched off" in bob.get(path).text

    assert ana.post("/admin/switches", PAGE, has_share_links="y", has_outgoing_webhooks="y").ok
    assert requests.get(shared, timeout=30).ok
    bob.connect().post("@deploy now", room)
    assert any_server.rows("SELECT count(*) FROM webhook_deliveries") == [(1,)]
    targets = any_server.rows("SELECT target FROM audit_log WHERE kind = 'setting.changed' ORDER BY id")
    assert targets == [
        ("share links off",), ("outgoing webhooks off",), ("share links on",), ("outgoing webhooks on",)
    ]  # fmt: skip


def test_the_last_member_of_a_private_room_is_warned_and_an_admin_can_recover_the_room(
    any_server: Server, people: tuple[Person, Person]
) -> None:
    ana, bob = people
    room = bob.create_room("Plans")
    path = room_path(room)
    bob.connect().post("worth keeping", room)
    assert "You are its last member" in bob.get(f"{path}/settings").text
    bob.invite(room, ana)
    assert "last member" not in bob.get(f"{path}/settings").text
    assert "you can come back only if a member adds you" in bob.get(f"{path}/settings").text
    assert "Recover Plans" not in ana.get("/admin/rooms").text
    assert ana.post(f"/admin{path}/recover", "/admin/rooms").status_code == 404
    for person in (ana, bob):
        person.post(f"{path}/membership/end", f"{path}/settings")
    assert ana.get(path).status_code == 404

    assert "Recover Plans" in ana.get("/admin/rooms").text
    assert ana.post(f"/admin{path}/recover", "/admin/rooms").ok
    assert "worth keeping" in ana.get(path).text
    assert "Archive room" in ana.get(f"{path}/settings").text
    assert any_server.rows("SELECT actor, conversation FROM audit_log WHERE kind = 'room.recovered'") == [("ana", room)]
    # Nor can a room be opened whose members are all banned.
    other = bob.create_room("Old plans")
    any_server.flask("users", "ban", "bob")
    assert "Recover Old plans" in ana.get("/admin/rooms").text
    assert ana.post(f"/admin{room_path(other)}/recover", "/admin/rooms").ok
