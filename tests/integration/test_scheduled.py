"""Scheduled messages: stored, listed, changed, and sent once when they are due."""

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.conversations.refs import GENERAL
from chatapp.errors import Conflict, Empty, Invalid, InvalidUpload
from chatapp.files.attached import AttachedFile
from chatapp.files.uploads import RequestedFile
from chatapp.schedule.scheduled import Scheduled
from chatapp.schedule.service import change_scheduled, send_now
from chatapp.schedule.service import schedule as schedule_message
from chatapp.timeline.posted_files import NO_FILES, PostedFiles
from tests.harness.api import check_problem
from tests.harness.files import PHOTO, TEXT_FILE
from tests.harness.html import attribute, find_csrf_token, find_element
from tests.harness.people import NewPerson, Person, Socket, message_payload, room_path
from tests.harness.servers import NewServer, Server
from tests.harness.uploading import upload
from tests.harness.waiting import eventually


def after(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def schedule(socket: Socket, text: str, due_at: str, conversation: str = "general", **place: Any) -> dict[str, Any]:
    payload = message_payload(text, conversation) | {"due_at": due_at} | place
    ack = socket.call("schedule_message", payload)
    assert ack["ok"], ack
    scheduled: dict[str, Any] = ack["scheduled"]
    return scheduled


def states(socket: Socket, scheduled: dict[str, Any]) -> list[str]:
    return [each["state"] for each in socket.payloads("scheduled_changed") if each["id"] == scheduled["id"]]


def listed(person: Person) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = person.api().get("/scheduled").json()["scheduled"]
    return items


def test_messages_are_sent_once_when_they_are_due_in_the_order_of_their_times(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    socket, other = ana.connect(), bob.connect()
    other.join()
    soon, sooner = after(1.2), after(1)
    scheduled = [schedule(socket, text, due) for text, due in (("two", soon), ("three", soon), ("one", sooner))]
    assert [each["content"] for each in listed(ana)] == ["one", "two", "three"]
    assert listed(bob) == []
    other.wait_for_contents("one", "two", "three")
    messages = other.messages()
    assert {each["client_id"] for each in messages} == {each["client_id"] for each in scheduled}
    assert messages[0]["sender"]["username"] == "ana"
    for each in scheduled:
        eventually(lambda each=each: states(socket, each) == ["scheduled", "sent"], "its devices know")  # type: ignore[misc]
    assert listed(ana) == []
    # The acknowledgement was lost, and the client sends it again.
    key = scheduled[0]["client_id"]
    again = socket.call("schedule_message", message_payload("two", client_id=key) | {"due_at": after(60)})
    assert again["error"]["code"] == "conflict"


def test_a_message_is_scheduled_once_and_can_be_changed_and_deleted_by_its_author_only(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    socket, other = ana.connect(), bob.connect()
    scheduled = schedule(socket, "later", after(3600))
    number, key = scheduled["id"], scheduled["client_id"]
    # The acknowledgement was lost, and the person has changed the text meanwhile: the last one wins.
    replaced = schedule(socket, "something else", after(1800), client_id=key)
    assert (replaced["id"], replaced["content"]) == (number, "something else")
    assert schedule(socket, "something else", replaced["due_at"], client_id=key) == replaced
    assert listed(ana) == [replaced]
    room = ana.create_room()
    elsewhere = message_payload("elsewhere", room, client_id=key) | {"due_at": after(60)}
    assert socket.call("schedule_message", elsewhere)["error"]["code"] == "conflict", "it belongs to one conversation"
    for event in ("change_scheduled", "delete_scheduled", "send_scheduled"):
        payload = {"id": number} | ({"content": "mine"} if event == "change_scheduled" else {})
        assert other.call(event, payload)["error"]["code"] == "not_found", event
    due_at = after(7200)
    changed = socket.call("change_scheduled", {"id": number, "content": "much later", "due_at": due_at})["scheduled"]
    assert (changed["content"], datetime.fromisoformat(changed["due_at"])) == (
        "much later",
        datetime.fromisoformat(due_at),
    )
    assert listed(ana) == [changed]
    sent = socket.call("send_scheduled", {"id": number})["message"]
    assert (sent["content"], sent["client_id"]) == ("much later", key)
    assert socket.call("send_scheduled", {"id": number})["error"]["code"] == "not_found"
    deleted = schedule(socket, "never", after(3600))
    # Once it could not be sent, it is not replaced: another text would be lost behind an acknowledgement.
    any_server.execute("UPDATE scheduled_messages SET problem = 'The room is archived.'")
    again = message_payload("never", client_id=deleted["client_id"]) | {"due_at": after(60)}
    assert socket.call("schedule_message", again)["scheduled"]["due_at"] == deleted["due_at"]
    assert socket.call("schedule_message", again | {"content": "another"})["error"]["code"] == "conflict"
    assert socket.call("delete_scheduled", {"id": deleted["id"]})["ok"]
    assert any_server.rows("SELECT count(*) FROM scheduled_messages") == [(0,)]


def test_what_may_not_be_posted_when_it_is_due_stays_with_the_reason_until_it_is_moved(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    ana.invite(room, bob)
    socket = bob.connect()
    scheduled = schedule(socket, "hello room", after(1), room)
    second = bob.connect()
    ana.remove(room, bob)
    eventually(lambda: states(second, scheduled) == ["failed"], "it was not sent")
    (kept,) = listed(bob)
    assert (kept["content"], kept["problem"]) == (
        "hello room",
        "This conversation does not exist, or you are not a member.",
    )
    page = bob.get("/scheduled").text
    assert "Not sent" in find_element(page, "[data-scheduled-id]").text()
    assert "Room" not in find_element(page, "[data-scheduled-id]").text()
    assert "1 due or not sent" in " ".join(find_element(page, "a[href='/scheduled']").text().split())
    refused = socket.call("send_scheduled", {"id": scheduled["id"]})
    assert refused["error"]["code"] == "not_found"
    ana.invite(room, bob)
    moved = socket.call("change_scheduled", {"id": scheduled["id"], "due_at": after(0.5)})["scheduled"]
    assert moved["problem"] is None
    eventually(lambda: listed(bob) == [], "it was sent")
    assert any_server.rows("SELECT content FROM messages WHERE message_type = 'text'") == [("hello room",)]


def test_the_message_of_a_banned_person_and_one_for_an_archived_room_are_not_sent(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    room = ana.create_room()
    schedule(bob.connect(), "from the past", after(1))
    schedule(ana.connect(), "to the archive", after(1), room)
    ana.post(f"{room_path(room)}/archive")
    ana.post("/people/bob/ban", "/people/bob/ban", reason="Advertising")
    query = "SELECT problem FROM scheduled_messages WHERE problem IS NOT NULL ORDER BY id"
    eventually(lambda: len(any_server.rows(query)) == 2, "both have a problem")
    assert any_server.rows(query) == [("Your account was deactivated.",), ("This room is archived and is read-only.",)]
    assert any_server.rows("SELECT count(*) FROM messages WHERE message_type = 'text'") == [(0,)]


def test_a_scheduled_reply_is_stored_in_its_thread(any_server: Server, new_person: NewPerson) -> None:
    ana = new_person(any_server, "ana")
    socket = ana.connect()
    socket.join()
    root = socket.post("root")["seq"]
    reply = schedule(socket, "in the thread", after(0.5), thread=root, reply_to=root, also_in_room=True)
    assert (reply["thread"], reply["also_in_room"]) == (root, True)
    socket.wait_for_contents("root", "in the thread")
    message = socket.messages()[-1]
    assert (message["thread"], message["reply_to"], message["in_room"]) == (root, root, True)
    for place, code in (({"thread": 99}, "thread_removed"), ({"reply_to": 99}, "invalid_reply")):
        ack = socket.call("schedule_message", message_payload("x") | {"due_at": after(60)} | place)
        assert ack["error"]["code"] == code


def test_times_texts_and_numbers_are_limited(new_server: NewServer, new_person: NewPerson) -> None:
    ana = new_person(new_server(CHATAPP_MAX_SCHEDULED="1", CHATAPP_MAX_SCHEDULE_DAYS="2").start(), "ana")
    socket, room = ana.connect(), ana.create_room()
    for due_at, reason in ((after(-1), "has passed"), (after(3 * 86_400), "within the next 2 days")):
        error = socket.call("schedule_message", message_payload("x") | {"due_at": due_at})["error"]
        assert (error["code"], reason in error["message"]) == ("invalid", True)
    command = socket.call("schedule_message", message_payload("/topic x", room) | {"due_at": after(60)})
    assert "command" in command["error"]["message"]
    schedule(socket, "one", after(60))
    error = socket.call("schedule_message", message_payload("two") | {"due_at": after(60)})["error"]
    assert (error["code"], "at most 1" in error["message"]) == ("conflict", True)


def test_the_api_schedules_messages_and_pages_through_them(any_server: Server, new_person: NewPerson) -> None:
    api = new_person(any_server, "ana").api()
    due_at = after(3600)
    for text in ("one", "two", "three"):
        body = {"content": text, "due_at": due_at}
        created = api.post("/conversations/general/scheduled", json=body, headers={"Idempotency-Key": text})
        assert created.status_code == 201
        assert api.post("/conversations/general/scheduled", json=body, headers={"Idempotency-Key": text}).ok
    path = created.headers["Location"].removeprefix("/api")
    first = api.get("/scheduled?limit=2").json()
    rest = api.get(first["next"].removeprefix("/api")).json()
    assert [each["content"] for each in [*first["scheduled"], *rest["scheduled"]]] == ["one", "two", "three"]
    assert (first["total"], rest["next"]) == (3, None)
    assert api.request("PATCH", path, json={"content": "3"}).json() == api.get(path).json()
    assert api.post(f"{path}/send").json()["content"] == "3"
    assert check_problem(api.get(path)) == (404, "not_found")
    assert check_problem(api.get("/scheduled?after=x")) == (400, "invalid")
    assert api.request("DELETE", f"/scheduled/{first['scheduled'][0]['id']}").status_code == 204
    assert api.get("/scheduled").json()["total"] == 1


def test_the_page_works_without_javascript_in_the_time_zone_of_the_browser(
    server: Server, ana: Person, bob: Person
) -> None:
    bob.http.cookies.set("chatapp_clock", "Europe/Berlin:h23")
    socket = bob.connect()
    due_at = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
    scheduled = schedule(socket, "good **morning**", due_at.isoformat())
    page = bob.get("/scheduled").text
    field = attribute(page, "input[name=due_at]", "value")
    path = f"/scheduled/{scheduled['id']}"
    assert bob.post(path, "/scheduled", content="good evening", due_at=field, shown_due_at=field).ok
    (changed,) = listed(bob)
    # The seconds are kept: only the text was changed.
    assert (changed["content"], changed["due_at"]) == ("good evening", scheduled["due_at"])
    moved = f"{(due_at + timedelta(days=1)):%Y-%m-%d}T09:00"
    bob.post(path, "/scheduled", content="good evening", due_at=moved, shown_due_at=field)
    assert attribute(bob.get("/scheduled").text, "input[name=due_at]", "value") == moved
    assert listed(bob)[0]["due_at"][11:13] in {"07", "08"}
    refused = bob.post(path, "/scheduled", content="kept text", due_at="2020-01-01T09:00", shown_due_at=field)
    assert refused.status_code == 400
    assert "has passed" in find_element(refused.text, "[role=alert].notice").text()
    assert find_element(refused.text, "textarea").text().strip() == "kept text"
    assert (
        "1 message scheduled for this conversation" in find_element(bob.get("/").text, "[data-scheduled-note]").text()
    )
    assert "sidebar-link is-page" in (sidebar := ana.get("/sidebar").text)
    assert "/scheduled" not in sidebar
    sent = bob.post(f"{path}/send", "/scheduled")
    assert "good evening" in sent.text
    other = schedule(socket, "x", after(60))
    assert bob.post(f"/scheduled/{other['id']}/delete", "/scheduled").ok
    assert "No scheduled messages" in bob.get("/scheduled").text


def test_a_message_whose_time_passed_while_the_server_was_down_is_sent_at_the_next_start(
    any_server: Server, new_person: NewPerson
) -> None:
    ana = new_person(any_server, "ana")
    schedule(ana.connect(), "late", after(1))
    any_server.terminate()
    time.sleep(1.1)
    any_server.start()
    eventually(lambda: any_server.rows("SELECT content FROM messages") == [("late",)], "it was sent")
    assert any_server.rows("SELECT count(*) FROM scheduled_messages") == [(0,)]


def test_a_change_that_comes_after_the_message_was_sent_is_refused_with_the_text(server: Server, ana: Person) -> None:
    socket = ana.connect()
    scheduled = schedule(socket, "first", after(3600))
    assert socket.call("send_scheduled", {"id": scheduled["id"]})["ok"]
    late = socket.call("change_scheduled", {"id": scheduled["id"], "content": "too late"})
    assert (late["error"]["code"], "Perhaps it was sent" in late["error"]["message"]) == ("not_found", True)
    path = f"/scheduled/{scheduled['id']}"
    refused = ana.post(path, "/scheduled", content="a **late** change", due_at="", shown_due_at="")
    assert refused.status_code == 404
    assert "Perhaps it was sent" in find_element(refused.text, "[role=alert].notice").text()
    assert find_element(refused.text, "#unsaved").text().strip() == "a **late** change"
    assert ana.post(f"{path}/send", "/scheduled").status_code == 404


# Files


def test_a_message_is_sent_once_with_its_files_which_only_its_author_can_see_before(
    any_server: Server, new_person: NewPerson
) -> None:
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    socket, other = ana.connect(), bob.connect()
    other.join()
    notes = {"upload": upload(any_server, socket, "ferns.txt", b"Remember the ferns").id, "alt": "A list"}
    payload = message_payload("") | {"due_at": after(3600), "files": [notes]}
    assert other.call("schedule_message", payload)["error"]["code"] == "invalid_upload", "it is somebody else's"
    scheduled = socket.call("schedule_message", payload)["scheduled"]
    assert socket.call("schedule_message", payload)["scheduled"] == scheduled
    gone = payload | {"files": [notes | {"upload": "1-x"}]}
    assert socket.call("schedule_message", gone)["scheduled"] == scheduled
    described = payload | {"files": [{"upload": "1-x", "alt": "Another"}]}
    assert socket.call("schedule_message", described)["error"]["code"] == "invalid_upload"
    (file,) = scheduled["files"]
    assert (file["name"], file["alt"], file["size"]) == ("ferns.txt", "A list", 18)
    for person, status in ((ana, 200), (bob, 404)):
        assert person.get(file["url"]).status_code == status
        assert person.api().get(file["url"]).status_code == status
    assert "ferns.txt" in find_element(ana.get("/scheduled").text, ".message-files").text()
    assert ana.api().get("/conversations/general/files").json()["files"] == []

    assert socket.call("change_scheduled", {"id": scheduled["id"], "due_at": after(0.5)})["ok"]
    other.wait_for_contents("")
    (sent,) = other.messages()[-1]["files"]
    assert sent["digest"] == file["digest"]
    assert bob.get(sent["url"]).content == b"Remember the ferns"
    assert any_server.rows("SELECT user_id, name FROM attachments") == [(ana.id, "ferns.txt")]
    assert any_server.rows("SELECT count(*) FROM scheduled_files") == [(0,)]
    assert ana.get(file["url"]).status_code == 404
    for words in ("has:file", "ferns"):
        assert bob.api().get("/search", params={"q": words}).json()["messages"], words


def test_files_are_added_and_removed_without_javascript_and_over_the_api(server: Server, ana: Person) -> None:
    socket, api = ana.connect(), ana.api()
    one = {"upload": upload(server, socket, "one.txt", b"one").id}
    body = {"content": "", "due_at": after(3600), "files": [one]}
    scheduled = api.post("/conversations/general/scheduled", json=body).json()
    page = ana.get("/scheduled").text
    path, digest = f"/scheduled/{scheduled['id']}", attribute(page, "input[name=removed_files]", "value")
    fields = {"csrf_token": find_csrf_token(page), "content": "", "due_at": "", "shown_due_at": ""}

    def save(*files: tuple[str, bytes], **changed: str) -> int:
        posted = [("file", each) for each in files or [("", b"")]]
        return ana.http.post(server.url + path, data=fields | changed, files=posted, timeout=60).status_code

    assert save(("two.txt", b"two"), content="with text") == 200
    assert [each["name"] for each in listed(ana)[0]["files"]] == ["one.txt", "two.txt"]
    assert save(removed_files=digest) == 200
    (changed,) = listed(ana)
    assert ([each["name"] for each in changed["files"]], changed["content"]) == (["two.txt"], "")
    refused = api.request("PATCH", path, json={"removed_files": [changed["files"][0]["digest"]]})
    assert check_problem(refused) == (400, "empty")
    added = api.request("PATCH", path, json={"added_files": [one]})
    assert [each["name"] for each in added.json()["files"]] == ["two.txt", "one.txt"]
    assert check_problem(api.request("PATCH", path, json={"added_files": [{"upload": "1-x"}]})) == (
        422,
        "invalid_upload",
    )
    assert socket.call("delete_scheduled", {"id": scheduled["id"]})["ok"]
    assert server.rows("SELECT count(*) FROM scheduled_files") == [(0,)]


TOMORROW = after(86_400)


@pytest.fixture
def owner(app: Flask) -> Actor:
    """The owner of `app`."""
    return Actor(create_owner("ana", "Ana", "a good password"))


def schedule_files(
    actor: Actor, *files: AttachedFile, content: str = "", key: str = "", gone: tuple[RequestedFile, ...] = ()
) -> Scheduled:
    error = InvalidUpload("It was not uploaded.") if gone else None
    return schedule_message(
        GENERAL,
        actor,
        content=content,
        client_id=key or str(uuid.uuid4()),
        due_at=TOMORROW,
        posted=PostedFiles(files, error, gone),
    )


def test_a_repetition_replaces_the_files_and_needs_them_no_more_if_nothing_changes(owner: Actor) -> None:
    key, gone = str(uuid.uuid4()), (RequestedFile(PHOTO.alt, None),)
    first = schedule_files(owner, PHOTO, key=key)
    assert schedule_files(owner, key=key, gone=gone) == first
    with pytest.raises(InvalidUpload):
        schedule_files(owner, content="another text", key=key, gone=gone)
    with pytest.raises(InvalidUpload):
        schedule_files(owner, gone=gone)
    replaced = schedule_files(owner, TEXT_FILE, PHOTO, key=key)
    assert (replaced.id, replaced.files) == (first.id, (TEXT_FILE, PHOTO))
    assert send_now(owner, first.id).files == (TEXT_FILE, PHOTO)
    with pytest.raises(Conflict):
        schedule_files(owner, key=key, gone=gone)


def test_a_repetition_whose_uploads_are_gone_changes_nothing_only_if_its_files_can_be_the_stored_ones(
    owner: Actor,
) -> None:
    key, photo = str(uuid.uuid4()), RequestedFile(PHOTO.alt, PHOTO)
    text = RequestedFile(TEXT_FILE.alt, TEXT_FILE)
    gone = RequestedFile(TEXT_FILE.alt, None)
    stored = schedule_files(owner, PHOTO, TEXT_FILE, key=key)
    assert schedule_files(owner, key=key, gone=(photo, gone)) == stored
    for others in ((gone,), (photo, gone, gone), (text, gone), (photo, RequestedFile("another description", None))):
        with pytest.raises(InvalidUpload):
            schedule_files(owner, key=key, gone=others)
    without_files = schedule_files(owner, content="text", key=key)
    with pytest.raises(InvalidUpload):
        schedule_files(owner, content="text", key=key, gone=(gone,))
    assert without_files.files == ()


def test_a_changed_message_has_text_or_files_and_not_too_many(owner: Actor) -> None:
    scheduled = schedule_files(owner, PHOTO)
    added = PostedFiles((TEXT_FILE,))
    for _ in range(2):  # The acknowledgement was lost.
        assert change_scheduled(owner, scheduled.id, added=added).files == (PHOTO, TEXT_FILE)
    too_many = PostedFiles(tuple(AttachedFile(**TEXT_FILE.to_fields() | {"alt": f"{n}"}) for n in range(9)))
    with pytest.raises(Invalid, match="at most 10 files"):
        change_scheduled(owner, scheduled.id, added=too_many)
    digests = [PHOTO.digest, TEXT_FILE.digest]
    with pytest.raises(Empty):
        change_scheduled(owner, scheduled.id, removed_files=digests)
    changed = change_scheduled(owner, scheduled.id, content="text", removed_files=digests)
    assert (changed.content, changed.files) == ("text", ())
    with pytest.raises(Empty):
        change_scheduled(owner, scheduled.id, content=" ")
    with pytest.raises(Invalid):
        change_scheduled(owner, scheduled.id, added=NO_FILES)
