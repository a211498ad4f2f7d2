"""Custom emoji: admins add and delete them, and everybody uses them in messages and reactions."""

import time
from http import HTTPStatus
from io import BytesIO

import pytest
import requests
from flask import Flask
from PIL import Image

from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.custom_emoji import service
from chatapp.custom_emoji.queries import list_images
from chatapp.custom_emoji.service import delete_emoji, upload_emoji
from chatapp.errors import ChatError, Conflict, FileTooLarge, Invalid
from chatapp.extensions import db
from chatapp.files import sweep as sweeping
from chatapp.files.checking import find_file_problems
from chatapp.files.store import current_store
from chatapp.files.sweep import sweep
from chatapp.timeline.changing import check_reaction
from tests.harness.api import check_problem
from tests.harness.html import find_csrf_token
from tests.harness.media import draw, encode, encode_animation
from tests.harness.people import NewPerson, Person
from tests.harness.servers import NewServer, Server
from tests.harness.uploading import upload
from tests.harness.waiting import eventually, scaled

PAGE = "/admin/emoji"

PNG = encode(draw(64, 64), "PNG")


def add(person: Person, name: str, content: bytes = PNG, file_name: str = "image.png") -> requests.Response:
    """Post the form for a new emoji."""
    fields = {"csrf_token": find_csrf_token(person.get(PAGE).text), "name": name}
    files = {"image": (file_name, content)}
    return person.http.post(person.server.url + PAGE, data=fields, files=files, timeout=scaled(30))


@pytest.fixture
def people(any_server: Server, new_person: NewPerson) -> tuple[Person, Person]:
    """An admin, and a member."""
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    return ana, bob


def test_an_emoji_is_used_in_messages_and_reactions_until_an_admin_deletes_it(
    any_server: Server, people: tuple[Person, Person]
) -> None:
    ana, bob = people
    socket = bob.connect()
    socket.join()
    seq = socket.post("before :blobcat: `:blobcat:`")["seq"]
    assert "custom-emoji" not in bob.get("/").text
    assert "Emoji added." in add(ana, ":blobcat:").text
    socket.wait_for("emoji_changed")
    ((digest,),) = any_server.rows("SELECT digest FROM custom_emoji")
    url = f"/emoji/{digest}"
    assert bob.get("/emoji.json").json() == [
        {"name": "blobcat", "url": url, "still_url": url, "width": 64, "height": 64}
    ]

    page = bob.get("/").text
    assert page.count(f'src="{url}"') == 1, "not in code"
    assert "<code>:blobcat:</code>" in page
    image = bob.get(url)
    assert image.headers["Content-Type"] == "image/png"
    assert image.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert image.headers["X-Content-Type-Options"] == "nosniff"
    assert Image.open(BytesIO(image.content)).size == (64, 64)
    assert bob.get(url, params={"size": "small"}).headers["Content-Type"] == "image/webp"
    assert bob.get("/emoji/" + "0" * 64).status_code == 404

    reaction = {"conversation": "general", "seq": seq, "reaction": ":blobcat:"}
    reacted = socket.call("react", reaction | {"on": True})["message"]
    assert [group["reaction"] for group in reacted["reactions"]] == [":blobcat:"]
    assert f'src="{url}"' in reacted["html"].partition('class="reactions"')[2]
    assert socket.call("react", reaction | {"reaction": ":unknown:", "on": True})["error"]["code"] == "invalid"

    assert "Emoji deleted." in ana.post(f"{PAGE}/blobcat/delete", PAGE).text
    page = bob.get("/").text
    assert "custom-emoji" not in page
    assert 'before <span data-emoji="blobcat">:blobcat:</span>' in page
    assert socket.wait_for("emoji_changed", 2) == [{}] * 2
    assert bob.get(url).status_code == 404
    assert bob.get("/emoji.json").json() == []
    other = ana.connect()
    assert other.call("react", reaction | {"on": True})["error"]["code"] == "invalid"
    assert socket.call("react", reaction | {"on": False})["message"]["reactions"] == []
    kinds = any_server.rows("SELECT kind, actor, target FROM audit_log WHERE kind LIKE 'emoji%' ORDER BY id")
    assert kinds == [("emoji.added", "ana", ":blobcat:"), ("emoji.deleted", "ana", ":blobcat:")]


def test_messages_with_an_emoji_are_found_by_its_name(any_server: Server, people: tuple[Person, Person]) -> None:
    ana, bob = people
    add(ana, "party_blobcat")
    bob.connect().post("what a :party_blobcat:")
    found = eventually(lambda: bob.get("/search", params={"q": ":party_blobcat:"}).text)
    assert "what a" in found


def test_the_form_names_what_is_wrong(server: Server, new_person: NewPerson) -> None:
    ana = new_person(server, "ana")
    for name, content, error in (
        ("tada", PNG, "standard emoji"),
        ("Not a name", PNG, "lower-case letters"),
        ("", PNG, "Enter a name."),
        ("page", b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "Choose a PNG, GIF, WebP or JPEG image."),
        ("large", encode(draw(1_100, 10), "PNG"), "at most 1,024"),
        ("long", PNG + bytes(256 * 1_024), "at most 256 KB"),
    ):
        refused = add(ana, name, content)
        assert refused.status_code >= 400
        assert error in refused.text
    without_image = ana.post(PAGE, PAGE, name="blobcat")
    assert (without_image.status_code, "Choose an image." in without_image.text) == (400, True)
    assert server.rows("SELECT count(*) FROM custom_emoji") == [(0,)]
    assert add(ana, "blobcat").status_code == 200
    again = add(ana, "blobcat")
    assert (again.status_code, "There is an emoji :blobcat: already." in again.text) == (HTTPStatus.CONFLICT, True)


def test_programs_of_admins_add_and_delete_emoji(any_server: Server, people: tuple[Person, Person]) -> None:
    ana, bob = people
    api, others = ana.api(), bob.api()
    image = upload(any_server, ana.connect(), "image.png", PNG).id
    own = upload(any_server, bob.connect(), "image.png", PNG).id
    assert check_problem(api.post("/emoji", json={"name": "blobcat", "upload": own})) == (422, "invalid_upload")
    assert check_problem(others.post("/emoji", json={"name": "blobcat", "upload": own})) == (403, "forbidden")
    created = api.post("/emoji", json={"name": "blobcat", "upload": image})
    assert created.status_code == 201
    assert others.get("/emoji").json() == {"emoji": [created.json()], "total": 1}
    assert created.headers["Location"].endswith("/api/emoji/blobcat")
    assert Image.open(BytesIO(others.get("/emoji/blobcat").content)).size == (64, 64)
    assert check_problem(api.post("/emoji", json={"name": "blobcat", "upload": image})) == (409, "conflict")
    assert check_problem(others.request("DELETE", "/emoji/blobcat")) == (403, "forbidden")
    assert api.request("DELETE", "/emoji/blobcat").status_code == 204
    for path in ("/emoji/%00", "/emoji/%F0%9F%98%80", "/emoji/" + "a" * 1_000):
        assert check_problem(api.request("DELETE", path))[0] in {400, 404}
        assert check_problem(api.get(path))[0] in {400, 404}
    assert check_problem(api.request("DELETE", "/emoji/blobcat")) == (404, "not_found")
    assert check_problem(others.get("/emoji/blobcat")) == (404, "not_found")


def test_a_server_that_starts_shows_the_emoji_and_the_pictures_of_assistants(
    new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server().start()
    ana = new_person(server, "ana")
    add(ana, "blobcat")
    ana.connect().post("a :blobcat:")
    server.execute("UPDATE conversations SET avatar_digest = 'digest' WHERE kind = 'assistant'")
    server.terminate()
    server.start()
    assert "custom-emoji" in ana.get("/").text
    assert "/avatar/digest" in ana.get("/admin/assistants").text


@pytest.fixture
def ana(app: Flask) -> Actor:
    """The owner of `app`."""
    return Actor(create_owner("ana", "Ana", "a good password"))


@pytest.mark.parametrize("name", ["GIF", "JPEG", "PNG", "WEBP"])
def test_images_of_four_formats_are_emoji(ana: Actor, name: str) -> None:
    upload_emoji(ana, "blobcat", "file", BytesIO(encode(draw(), name)))
    (image,) = list_images(db.session())
    assert (image.width, image.height, image.is_animated) == (60, 40, False)
    upload_emoji(ana, "dancing", "file", BytesIO(encode_animation("GIF")))
    assert [each.is_animated for each in list_images(db.session())] == [False, True]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a" * 65, PNG, Invalid),
        ("é", PNG, Invalid),
        (":", PNG, Invalid),
        ("+1", PNG, Conflict),
        ("blobcat", encode(draw(), "AVIF"), Invalid),
        ("blobcat", b"", Invalid),
        ("blobcat", bytes(256 * 1_024 + 1), FileTooLarge),
    ],
)
def test_other_names_and_files_are_refused_and_not_kept(
    ana: Actor, name: str, content: bytes, error: type[ChatError]
) -> None:
    with pytest.raises(error):
        upload_emoji(ana, name, "file", BytesIO(content))
    assert list_images(db.session()) == ()


def test_the_number_of_emoji_is_limited(ana: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_EMOJI", 1)
    upload_emoji(ana, "blobcat", "file", BytesIO(PNG))
    with pytest.raises(Conflict, match="at most 1 custom emoji"):
        upload_emoji(ana, "other", "file", BytesIO(PNG))


def test_the_image_is_kept_until_its_last_emoji_is_deleted(ana: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("blobcat", "same"):
        upload_emoji(ana, name, "file", BytesIO(PNG))
    digest = list_images(db.session())[0].digest
    monkeypatch.setattr(sweeping, "MARKED_SECONDS", 0.0)

    def is_kept() -> bool:
        for _ in range(2):
            sweep()
            time.sleep(0.01)
        return current_store().exists(digest)

    assert is_kept()
    delete_emoji(ana, "same")
    assert is_kept()
    assert list(find_file_problems(is_thorough=True)) == []
    current_store().delete(digest)
    assert "the image of the emoji :blobcat: is not stored" in next(find_file_problems())
    delete_emoji(ana, "blobcat")
    assert not is_kept()


@pytest.mark.parametrize("value", [":blobcat:", ":+-_0:", f":{'a' * 64}:"])
def test_a_name_between_colons_may_be_a_reaction(value: str) -> None:
    assert check_reaction(value) == value


@pytest.mark.parametrize("value", ["::", ":A:", ":a b:", ":a", f":{'a' * 65}:", "x:a:"])
def test_other_texts_are_no_reactions(value: str) -> None:
    with pytest.raises(Invalid):
        check_reaction(value)
