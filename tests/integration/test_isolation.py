"""Work of one kind cannot stop work of another: each has threads or processes of its own, and a limit."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import requests
from argon2 import PasswordHasher

from chatapp.timeline.reading import CATCH_UP_SIZE
from tests.harness.abuse import Bystanders
from tests.harness.assistants import start_session
from tests.harness.html import attribute, find_csrf_token
from tests.harness.people import PASSWORD, NewPerson, Person
from tests.harness.rendering import repeat
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually, scaled


def test_sign_ins_past_the_queue_are_asked_to_try_again(new_server: NewServer, new_person: NewPerson) -> None:
    server = new_server(CHATAPP_PASSWORD_THREADS="1", CHATAPP_MAX_QUEUED_CALLS="1").start()
    ana = new_person(server, "ana")
    # It takes so long to verify that the others arrive meanwhile.
    slow_hash = PasswordHasher(time_cost=15).hash(PASSWORD)
    server.execute(f"UPDATE users SET password_hash = '{slow_hash}'")

    def open_form() -> tuple[requests.Session, str]:
        session = requests.Session()
        return session, find_csrf_token(session.get(f"{server.url}/sign-in", timeout=scaled(30)).text)

    def submit(form: tuple[requests.Session, str]) -> requests.Response:
        fields = {"csrf_token": form[1], "username": ana.username, "password": PASSWORD}
        return form[0].post(f"{server.url}/sign-in", data=fields, allow_redirects=False, timeout=scaled(30))

    forms = [open_form() for _ in range(9)]
    with ThreadPoolExecutor(len(forms)) as threads:
        responses = list(threads.map(submit, forms))
    assert {response.status_code for response in responses} == {302, 503}
    refused = next(response for response in responses if response.status_code == 503)
    assert "The server is busy. Try again in a moment." in refused.text
    assert submit(open_form()).status_code == 302


def start_long_session(person: Person, messages: int = 30) -> str:
    """Start a session whose PDF takes seconds, with so many messages."""
    conversation, server = start_session(person), person.server
    conversation_id = conversation.removeprefix("assistant_")
    rows = ", ".join(
        f"({conversation_id}, {n}, {n}, 'user', 'Ana', 'text', '{'w' * 9_990}', '2026-01-01 00:00:00')"
        for n in range(1, messages + 1)
    )
    server.execute(
        "INSERT INTO messages (conversation_id, seq, version, sender_type, sender_name, message_type, content, "
        f"created_at) VALUES {rows}"
    )
    server.execute(f"UPDATE conversations SET last_event = {messages} WHERE id = {conversation_id}")
    return conversation


def has_worker(server: Server) -> bool:
    """Return whether the server has a child process that runs."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == server.pid and state != "Z":
                return True
    return False


def test_messages_are_acknowledged_while_pdfs_are_made(server: Server, new_person: NewPerson) -> None:
    people = [new_person(server, name) for name in ("ana", "bob", "cat")]
    # One process makes the three of them one after the other, with a low priority.
    paths = [f"/conversations/{start_long_session(person, messages=10)}/export.pdf" for person in people]
    socket = people[0].connect()
    with ThreadPoolExecutor(len(people)) as threads:
        exports = [threads.submit(person.get, path) for person, path in zip(people, paths, strict=True)]
        eventually(lambda: has_worker(server), "an export runs")
        assert socket.post("Still here?")
        assert not all(export.done() for export in exports)
        second = people[0].get(paths[0])
        assert second.status_code == 429
        assert "Another export of yours is still running." in second.text
    assert all(export.result().content.startswith(b"%PDF-") for export in exports)
    assert people[0].get(paths[0]).ok


def test_an_export_that_takes_too_long_ends_with_a_page_that_names_another_format(
    new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server(CHATAPP_WORKER_TIMEOUT_SECONDS="0.5").start()
    ana = new_person(server, "ana")
    conversation = start_long_session(ana)
    for _ in range(2):
        response = ana.get(f"/conversations/{conversation}/export.pdf")
        assert response.status_code == 422
        assert "Export it as Markdown or JSON instead." in response.text
        assert "Content-Disposition" not in response.headers
    assert not has_worker(server)
    assert ana.get(f"/conversations/{conversation}/export.md").ok


def start_session_with_expensive_answers(person: Person) -> str:
    """Start a session with as many answers as a catch-up has, each of which takes long to render."""
    conversation, server = start_session(person), person.server
    conversation_id = conversation.removeprefix("assistant_")
    rows = ", ".join(
        f"({conversation_id}, {n}, {n}, 'assistant', 'Helper', 'text', '{n} {repeat('*[_~`', 9_990)}', 'complete', "
        "'2026-01-01 00:00:00')"
        for n in range(1, CATCH_UP_SIZE + 1)
    )
    server.execute(
        "INSERT INTO messages (conversation_id, seq, version, sender_type, sender_name, message_type, content, state, "
        f"created_at) VALUES {rows}"
    )
    server.execute(f"UPDATE conversations SET last_event = {CATCH_UP_SIZE} WHERE id = {conversation_id}")
    return conversation


def test_pages_and_catch_ups_that_take_long_to_render_delay_no_message(server: Server, new_person: NewPerson) -> None:
    reader, ana, bob = (new_person(server, name) for name in ("reader", "ana", "bob"))
    conversation = start_session_with_expensive_answers(reader)
    page = reader.post(f"/conversations/{conversation}/share", "/sessions").text
    link = attribute(page, "#share-url", "value")
    socket = reader.connect()
    bystanders = Bystanders(ana, bob)
    with ThreadPoolExecutor(1) as threads:
        response = threads.submit(requests.get, link, timeout=scaled(60))
        socket.call("join_chat", {"conversation": conversation, "after": 0}, timeout=60)
        assert response.result().ok
    bystanders.check_latency()
    bystanders.check()
