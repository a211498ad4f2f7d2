"""Pictures of people, rooms and assistants: who may change and see them, and what becomes of them."""

from io import BytesIO

import pytest
import requests
from PIL import Image

from tests.harness.api import check_problem
from tests.harness.assistants import start_session, wait_for_answer
from tests.harness.html import attribute, find_csrf_token
from tests.harness.media import draw, encode
from tests.harness.people import NewPerson, Person, room_path
from tests.harness.servers import Server
from tests.harness.uploading import upload


def post_picture(person: Person, path: str, content: bytes, name: str = "me.png") -> requests.Response:
    token = find_csrf_token(person.get(path).text)
    url = person.server.url + path
    return person.http.post(url, data={"csrf_token": token}, files={"picture": (name, content)}, timeout=60)


def picture() -> bytes:
    return encode(draw(600, 300), "PNG")


def own_avatar(page: str) -> str:
    return attribute(page, ".account-name .avatar img", "src")


def test_a_picture_is_stored_as_a_small_square_and_shown_to_everybody(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    ana.connect().post("before")
    changed = post_picture(ana, "/settings/picture", picture())
    assert changed.ok, changed.text
    path = own_avatar(changed.text)
    response = bob.get(path)
    with Image.open(BytesIO(response.content)) as image:
        assert (image.format, image.size) == ("WEBP", (256, 256))
    headers = response.headers
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert Person(any_server, "visitor").get(path, allow_redirects=False).status_code == 302
    # Messages from before have it too, on pages and in their JSON; people without a picture have no such key.
    socket = bob.connect()
    (before,) = socket.join()["messages"]
    assert before["sender"] == {"id": ana.id, "username": "ana", "name": "Ana", "avatar_url": path}
    assert f'src="{path}"' in before["html"]
    assert "avatar_url" not in socket.post("after")["sender"]
    for page in (
        "/",
        "/people",
        "/people/ana",
        "/conversations/general/people?prefix=an",
        "/destinations/people?text=an",
    ):
        assert f'src="{path}"' in bob.get(page).text, page


def test_a_removed_or_replaced_picture_is_no_longer_served(ana: Person) -> None:
    first = own_avatar(post_picture(ana, "/settings/picture", picture()).text)
    second = own_avatar(post_picture(ana, "/settings/picture", encode(draw(20, 30), "WEBP")).text)
    assert first != second
    assert [ana.get(path).status_code for path in (first, second)] == [404, 200]
    page = ana.post("/settings/picture/remove").text
    assert not page.count("/avatars/")
    assert ana.get(second).status_code == 404
    assert ana.server.rows("SELECT avatar_digest FROM users") == [(None,)]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "Choose a picture."),
        (b"Remember the milk", "This file is not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "This file is not a picture"),
        (picture()[:200], "This file is not a picture"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_reason(ana: Person, content: bytes, error: str) -> None:
    refused = post_picture(ana, "/settings/picture", content, name="me.png" if content else "")
    assert refused.status_code == 400
    assert error in refused.text
    assert ana.server.rows("SELECT avatar_digest FROM users") == [(None,)]


def test_a_picture_of_several_megabytes_is_accepted_and_a_larger_form_refused(ana: Person) -> None:
    large = encode(Image.effect_noise((1_500, 1_500), 100), "PNG")
    assert 2_000_000 < len(large) < 9_000_000
    for path in ("/settings/picture", "/admin/assistants/helper/picture"):
        assert post_picture(ana, path, large).ok
    assert post_picture(ana, "/settings/picture", bytes(11_000_000)).status_code == 413


def test_managers_change_the_picture_of_a_room_that_its_members_see(any_server: Server, new_person: NewPerson) -> None:
    ana, bob, cyd = (new_person(any_server, name) for name in ("ana", "bob", "cyd"))
    room = ana.create_room("Design")
    ana.invite(room, bob)
    page = f"{room_path(room)}/picture"
    assert post_picture(ana, page, b"no picture").status_code == 400
    assert post_picture(ana, page, picture()).ok
    path = attribute(bob.get(room_path(room)).text, "h1 .avatar img", "src")
    assert path.startswith(f"/conversations/{room}/avatar/")
    for shown in ("/", "/destinations?text=design", "/destinations/conversations?text=design"):
        assert f'src="{path}"' in bob.get(shown).text, shown
    assert [person.get(path).status_code for person in (ana, bob, cyd)] == [200, 200, 404]
    assert bob.api().get(f"/conversations/{room}").json()["avatar_url"] == path
    assert bob.get(page).status_code == 403
    ana.remove(room, bob)
    assert bob.get(path).status_code == 404
    ana.post(f"{page}/remove")
    assert ana.get(path).status_code == 404
    assert "avatar_url" not in ana.api().get(f"/conversations/{room}").json()


def test_a_program_changes_pictures_over_the_api(ana: Person, bob: Person) -> None:
    api, socket, room = ana.api(), ana.connect(), ana.create_room()
    image = upload(ana.server, socket, "me.png", picture()).id
    text = upload(ana.server, socket, "notes.txt", b"Remember the milk").id
    for path in ("/me/avatar", f"/conversations/{room}/avatar"):
        url = api.request("PUT", path, json={"upload": image}).json()["avatar_url"]
        assert api.get(url).headers["Content-Type"] == "image/webp"
        assert check_problem(api.request("PUT", path, json={"upload": text})) == (400, "invalid")
        assert check_problem(api.request("PUT", path, json={"upload": "unknown"})) == (422, "invalid_upload")
        assert api.get(url).ok
        assert bob.api().get(url).status_code == (200 if path == "/me/avatar" else 404)
        assert api.request("PUT", path, json={"upload": None}).json() == {"avatar_url": None}
        assert check_problem(api.get(url)) == (404, "not_found")
    assert check_problem(bob.api().request("PUT", "/me/avatar", json={"upload": image})) == (422, "invalid_upload")


def test_admins_change_the_picture_of_an_assistant_which_is_shown_wherever_the_assistant_is(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    socket, session = bob.connect(), start_session(bob)
    for conversation in ("general", session):
        socket.join(conversation)
        socket.post("@helper help", conversation)
        wait_for_answer(socket, conversation)
    page = "/admin/assistants/helper/picture"
    assert "Add picture" in ana.get("/admin/assistants").text
    assert post_picture(ana, page, b"no picture").status_code == 400
    assert "was changed" in post_picture(ana, page, picture()).text
    assert "Change picture" in ana.get("/admin/assistants").text
    socket.wait_for("sidebar_changed")
    path = attribute(bob.get("/assistants/helper").text, "h1 .avatar img", "src")
    assert bob.get(path).headers["Content-Type"] == "image/webp"
    for shown, selector in (
        ("/", ".sidebar .avatar img"),
        ("/", ".message .avatar img"),
        (f"/sessions/{session.partition('_')[2]}", "h1 .avatar img"),
        ("/sessions", ".rows .avatar img"),
        ("/conversations/general/people?prefix=he", ".avatar img"),
    ):
        assert attribute(bob.get(shown).text, selector, "src") == path, shown
    ana.post(f"{page}/remove")
    assert f'src="{path}"' not in bob.get("/").text
    assert bob.get(path).status_code == 404
    kinds = any_server.rows("SELECT kind, target FROM audit_log WHERE kind LIKE 'assistant%' ORDER BY id")
    assert kinds == [("assistant_picture.changed", "@helper"), ("assistant_picture.removed", "@helper")]


def test_programs_of_admins_change_the_picture_of_an_assistant(server: Server, new_person: NewPerson) -> None:
    ana, bob = (new_person(server, name) for name in ("ana", "bob"))
    ((shared,),) = server.rows("SELECT id FROM conversations WHERE kind = 'assistant'")
    path, image = f"/conversations/assistant_{shared}/avatar", upload(server, ana.connect(), "me.png", picture()).id
    url = ana.api().request("PUT", path, json={"upload": image}).json()["avatar_url"]
    assert bob.api().get(url).headers["Content-Type"] == "image/webp"
    assert check_problem(bob.api().request("PUT", path, json={"upload": None})) == (403, "forbidden")
    assert ana.api().request("PUT", path, json={"upload": None}).json() == {"avatar_url": None}
