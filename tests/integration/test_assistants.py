"""Answers of assistants: streaming, stopping, regenerating, queueing, failures and limits."""

import base64
import socket as sockets
import threading
import time
import uuid
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.harness.assistants import (
    insert_quotable_messages,
    received_answers,
    shared_conversation,
    start_session,
    wait_for_answer,
)
from tests.harness.media import draw, encode
from tests.harness.models import LONG, ModelServer, write_assistants
from tests.harness.people import NewPerson, Person, message_payload
from tests.harness.servers import NewServer, Postgres, Server
from tests.harness.uploading import send_files, upload
from tests.harness.waiting import eventually


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    model = ModelServer(tmp_path_factory.mktemp("model")).start()
    yield model
    model.stop()


@pytest.fixture
def server(new_server: NewServer, model: ModelServer, tmp_path: Path) -> Server:
    """A server with the built-in assistant and one behind a model server."""
    file = write_assistants(tmp_path / "assistants.toml", model.url, timeout=2, retries=1)
    return new_server(CHATAPP_ASSISTANTS_FILE=str(file)).start()


@pytest.fixture
def any_server(new_server: NewServer, database_url: str, model: ModelServer, tmp_path: Path) -> Server:
    """The same on each of the two databases."""
    file = write_assistants(tmp_path / "assistants.toml", model.url, timeout=2, retries=1)
    return new_server(database_url=database_url, CHATAPP_ASSISTANTS_FILE=str(file)).start()


def test_an_answer_is_streamed_to_all_sockets_that_have_joined(server: Server, ana: Person, bob: Person) -> None:
    conversation = shared_conversation(server)
    ana_socket, bob_socket = ana.connect(), bob.connect()
    for socket in (ana_socket, bob_socket):
        socket.join(conversation)
    question = ana_socket.post("talk to me", conversation)
    for socket in (ana_socket, bob_socket):
        answer = wait_for_answer(socket, conversation)
        assert (answer["state"], answer["content"], answer["reply_to"]) == ("complete", LONG, question["seq"])
        assert (answer["seq"], answer["sender"], answer["sender_name"]) == (question["seq"] + 1, None, "Model")
        deltas = socket.payloads("assistant_delta")
        assert [delta["n"] for delta in deltas] == list(range(1, len(deltas) + 1))
        assert len(deltas) > 5
        assert LONG in deltas[-1]["html"]
        assert socket.wait_for("assistant_done") == [{"conversation": conversation, "seq": answer["seq"]}]
    assert server.rows("SELECT state, content FROM messages WHERE sender_type = 'assistant'") == [("complete", LONG)]


def test_a_socket_that_joins_later_gets_the_answer_so_far_and_the_following_deltas(
    server: Server, ana: Person, bob: Person
) -> None:
    conversation = shared_conversation(server)
    ana_socket = ana.connect()
    ana_socket.join(conversation)
    ana_socket.post("talk to me", conversation)
    ana_socket.wait_for("assistant_delta", 5)
    bob_socket = bob.connect()
    joined = bob_socket.join(conversation)
    (stream,) = joined["answers"]
    assert stream["n"] >= 5
    assert "word0" in stream["html"]
    wait_for_answer(bob_socket, conversation)
    # A delta that was sent while the socket joined may arrive before the acknowledgement.
    numbers = [delta["n"] for delta in bob_socket.payloads("assistant_delta") if delta["n"] > stream["n"]]
    assert numbers[0] == stream["n"] + 1
    assert bob_socket.join(conversation)["answers"] == []


def test_stopping_ends_an_answer_at_once_and_keeps_its_content(server: Server, ana: Person, bob: Person) -> None:
    conversation = shared_conversation(server)
    ana_socket, bob_socket = ana.connect(), bob.connect()
    ana_socket.join(conversation)
    question_seq = bob_socket.post("talk to me", conversation)["seq"]
    ana_socket.wait_for("assistant_delta", 4)
    assert bob.connect().call("stop_answer", {"conversation": conversation, "seq": question_seq + 1})["ok"]
    answer = wait_for_answer(ana_socket, conversation)
    assert answer["state"] == "stopped"
    assert answer["content"]
    assert LONG.startswith(answer["content"])
    count = len(ana_socket.payloads("assistant_delta"))
    assert ana_socket.call("stop_answer", {"conversation": conversation, "seq": question_seq + 1})["ok"]
    assert len(ana_socket.payloads("assistant_delta")) == count


def test_only_the_asker_or_an_admin_can_stop_or_regenerate_an_answer(
    server: Server, ana: Person, bob: Person, new_person: NewPerson
) -> None:
    conversation = shared_conversation(server)
    eve = new_person(server, "eve").connect()
    bob_socket = bob.connect()
    bob_socket.join(conversation)
    seq = bob_socket.post("hello", conversation)["seq"] + 1
    wait_for_answer(bob_socket, conversation)
    for event in ("stop_answer", "answer_again"):
        assert eve.call(event, {"conversation": conversation, "seq": seq})["error"]["code"] == "forbidden"
        assert ana.connect().call(event, {"conversation": conversation, "seq": seq})["ok"], event
        assert bob_socket.call(event, {"conversation": conversation, "seq": seq - 1})["error"]["code"] == "not_found"
        wait_for_answer(bob_socket, conversation)


def test_a_regenerated_answer_replaces_the_first(server: Server, ana: Person) -> None:
    conversation = shared_conversation(server)
    socket = ana.connect()
    socket.join(conversation)
    seq = socket.post("hello", conversation)["seq"] + 1
    first = wait_for_answer(socket, conversation)
    again = socket.call("answer_again", {"conversation": conversation, "seq": seq})["message"]
    assert (again["state"], again["content"], again["seq"]) == ("queued", "", seq)
    eventually(lambda: received_answers(socket, conversation)[0]["version"] > again["version"], "it is answered again")
    second = wait_for_answer(socket, conversation)
    assert (second["state"], second["content"]) == ("complete", first["content"])
    assert server.rows("SELECT count(*) FROM messages") == [(2,)]


def test_a_conversation_has_one_answer_at_a_time_and_a_queue(any_server: Server, new_person: NewPerson) -> None:
    ana, conversation = new_person(any_server, "ana"), shared_conversation(any_server)
    socket = ana.connect()
    socket.join(conversation)
    seqs = [socket.post(text, conversation)["seq"] for text in ("talk to me", "hello once", "hello twice")]
    socket.wait_for("assistant_delta", 2)
    states = any_server.rows("SELECT state FROM messages WHERE sender_type = 'assistant' ORDER BY seq")
    assert states == [("streaming",), ("queued",), ("queued",)]
    queued = received_answers(socket, conversation)[2]["seq"]
    assert socket.call("stop_answer", {"conversation": conversation, "seq": queued})["message"]["state"] == "stopped"
    socket.call("stop_answer", {"conversation": conversation, "seq": received_answers(socket, conversation)[0]["seq"]})
    wait_for_answer(socket, conversation, 3)
    done = received_answers(socket, conversation)
    assert [(answer["state"], answer["reply_to"]) for answer in done] == list(
        zip(("stopped", "complete", "stopped"), seqs, strict=True)
    )
    assert not done[2]["content"]


def test_the_answer_is_streamed_and_can_be_stopped_on_another_process(
    two_servers: tuple[Server, Server], new_person: NewPerson
) -> None:
    first, second = two_servers
    owner = new_person(first, "owner")
    first_socket, second_socket = owner.connect(), owner.on_server(second).connect()
    conversation = shared_conversation(first, "helper")
    insert_quotable_messages(first, conversation)
    for socket in (first_socket, second_socket):
        socket.join(conversation)
    question_seq = first_socket.post("find budget", conversation)["seq"]
    assert second_socket.wait_for("assistant_delta", 3)[0]["n"] == 1
    later_socket = owner.on_server(second).connect()
    (stream,) = later_socket.join(conversation)["answers"]
    assert "budget" in stream["html"]
    assert second_socket.call("stop_answer", {"conversation": conversation, "seq": question_seq + 1})["ok"]
    answers = [wait_for_answer(socket, conversation) for socket in (first_socket, second_socket, later_socket)]
    assert {answer["state"] for answer in answers} == {"stopped"}
    assert len({answer["content"] for answer in answers}) == 1
    for socket in (first_socket, second_socket, later_socket):
        socket.wait_for("assistant_done")
    assert later_socket.join(conversation)["answers"] == []


@pytest.mark.parametrize("signal", ["kill", "terminate"])
def test_a_restart_interrupts_the_running_answer_and_continues_with_the_queue(
    any_server: Server, new_person: NewPerson, signal: str
) -> None:
    ana, conversation = new_person(any_server, "ana"), shared_conversation(any_server)
    socket = ana.connect()
    socket.join(conversation)
    socket.post("talk to me", conversation)
    socket.post("hello after all", conversation)
    eventually(
        lambda: any_server.rows("SELECT count(*) FROM messages WHERE state = 'streaming' AND content <> ''") == [(1,)],
        "the progress is saved",
    )
    getattr(any_server, signal)()
    any_server.start()
    again = ana.connect()
    again.join(conversation)
    answers = "SELECT state, content FROM messages WHERE sender_type = 'assistant' ORDER BY seq"
    eventually(
        lambda: [state for state, _ in any_server.rows(answers)] == ["interrupted", "complete"], "both are finished", 20
    )
    (_, interrupted), (_, complete) = any_server.rows(answers)
    assert isinstance(interrupted, str)
    assert interrupted
    assert LONG.startswith(str(interrupted))
    assert complete == "Good **morning**, Ana."
    page = ana.get("/assistants/model").text
    assert "chatapp restarted while this answer was being written." in page
    assert str(interrupted) in page


def test_an_outage_of_the_database_loses_no_question_and_no_answer(
    postgres: Postgres, new_server: NewServer, new_person: NewPerson, model: ModelServer, tmp_path: Path
) -> None:
    file = write_assistants(tmp_path / "assistants.toml", model.url)
    server = new_server(database_url=postgres.create_database(), CHATAPP_ASSISTANTS_FILE=str(file)).start()
    ana = new_person(server, "ana")
    conversation = shared_conversation(server)
    socket = ana.connect()
    socket.join(conversation)
    socket.post("talk to me", conversation)
    socket.wait_for("assistant_delta", 3)
    postgres.stop()
    assert socket.send("hello during the outage", conversation)["message"]["pending"]
    socket.wait_for("assistant_delta", len(socket.payloads("assistant_delta")) + 3)
    postgres.start()
    eventually(
        lambda: (
            server.rows("SELECT state, content FROM messages WHERE sender_type = 'assistant' ORDER BY seq")
            == [("complete", LONG), ("complete", "Good **morning**, Ana.")]
        ),
        "both are answered",
        40,
    )


FAILURES = {
    "break": "The connection to the model server was lost.",
    "silence": "The model took too long to answer.",
    "busy": "The model server is overloaded, or the quota is used up. Try again later.",
    "locked": "The model server rejected the API key. Ask an admin to check assistants.toml.",
    "broken": "The model server has a problem. Try again later.",
    "garbage": "The model did not answer.",
    "nothing": "The model did not answer.",
}


def test_the_reason_of_a_failure_is_shown_in_the_conversation(
    new_server: NewServer, new_person: NewPerson, model: ModelServer, tmp_path: Path
) -> None:
    file = write_assistants(tmp_path / "assistants.toml", model.url, timeout=2, retries=1)
    server = new_server(CHATAPP_ASSISTANTS_FILE=str(file)).start()
    ana = new_person(server, "ana")
    conversation, socket = shared_conversation(server), ana.connect()
    socket.join(conversation)
    for count, (question, problem) in enumerate(FAILURES.items(), start=1):
        socket.post(question, conversation)
        answer = wait_for_answer(socket, conversation, count)
        assert (answer["state"], answer["problem"]) == ("failed", problem), question
        assert answer["message_type"] == "error", question
        assert bool(answer["content"]) == (question == "break"), question
    for secret in ("sk-secret", "sk-1234"):
        assert secret not in server.log() + ana.get("/assistants/model").text
    assert "Traceback" not in server.log()
    socket.post("hello again", conversation)
    assert wait_for_answer(socket, conversation, len(FAILURES) + 1)["state"] == "complete"


def test_a_model_receives_the_prompt_and_the_latest_messages(
    server: Server, ana: Person, bob: Person, model: ModelServer
) -> None:
    conversation = shared_conversation(server)
    ana_socket, bob_socket = ana.connect(), bob.connect()
    ana_socket.join(conversation)
    ana_socket.post("hello first", conversation)
    wait_for_answer(ana_socket, conversation)
    deleted = bob_socket.post("busy", conversation)["seq"]
    wait_for_answer(ana_socket, conversation, 2)
    bob_socket.call("delete_message", {"conversation": conversation, "seq": deleted})
    ana_socket.post("and now something", conversation)
    wait_for_answer(ana_socket, conversation, 3)
    messages = next(
        request["messages"]
        for request in model.received_requests()
        if request["messages"][-1]["content"] == "and now something"
    )
    assert messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Ana: hello first"},
        {"role": "assistant", "content": "Good **morning**, Ana."},
        {"role": "user", "content": "and now something"},
    ]


@pytest.mark.parametrize("vision", [True, False])
def test_a_model_with_vision_receives_the_latest_images_of_the_conversation_as_webp(
    new_server: NewServer, new_person: NewPerson, model: ModelServer, tmp_path: Path, *, vision: bool
) -> None:
    file = write_assistants(tmp_path / "assistants.toml", model.url, vision=vision)
    server = new_server(CHATAPP_ASSISTANTS_FILE=str(file)).start()
    ana, conversation = new_person(server, "ana"), shared_conversation(server)
    socket = ana.connect()
    socket.join(conversation)
    images = [upload(server, socket, f"{width}.png", encode(draw(width), "PNG")) for width in (31, 32, 33, 34, 35, 36)]
    notes = upload(server, socket, "notes.txt", b"Remember")
    send_files(socket, images[0])  # In the general chat.
    send_files(socket, *images[1:4], notes, conversation=conversation)
    deleted = send_files(socket, images[4], conversation=conversation)["message"]["seq"]
    assert socket.call("delete_message", {"conversation": conversation, "seq": deleted})["ok"]
    wait_for_answer(socket, conversation, 2)
    files = [{"upload": each.id} for each in (images[5], images[1])]
    question = message_payload(f"hello, vision {vision}", conversation) | {"files": files}
    assert socket.call("send_message", question)["ok"]
    answer = wait_for_answer(socket, conversation, 3)
    assert answer["state"] == "complete"
    request = model.received_requests()[-1]
    turns = [turn for turn in request["messages"] if turn["role"] == "user"]
    assert [_list_widths(turn["content"]) for turn in turns] == ([[32, 33, 34], [36, 32]] if vision else [[], []])
    assert "[File: notes.txt (text/plain" in str(turns[0]["content"])


def _list_widths(content: str | list[dict[str, Any]]) -> list[int]:
    """Return the widths of the images of a turn."""
    urls = [part["image_url"]["url"] for part in content[1:] if not isinstance(part, str)]
    assert all(url.startswith("data:image/webp;base64,") for url in urls)
    return [Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))).width for url in urls]


def test_a_model_receives_the_prompt_and_the_first_messages_of_the_template_of_a_session(
    ana: Person, model: ModelServer
) -> None:
    api = ana.api()
    template = {
        "name": "Poems",
        "assistant": "model",
        "prompt": "Rhyme.",
        "messages": [{"role": "user", "content": "Roses"}, {"role": "assistant", "content": "are red"}],
    }
    template_id = api.post("/templates", json=template).json()["id"]
    session = api.post("/sessions", json={"template": template_id}).json()
    api.request("PATCH", f"/templates/{template_id}", json={"prompt": "Do not rhyme."})
    socket = ana.connect()
    socket.join(session["conversation"])
    socket.post("violets and then?", session["conversation"])
    wait_for_answer(socket, session["conversation"])
    request = next(each for each in model.received_requests() if "violets and then?" in str(each))
    assert [(turn["role"], turn["content"]) for turn in request["messages"]] == [
        ("system", "Be brief.\n\nRhyme."),
        ("user", "Roses"),
        ("assistant", "are red"),
        ("user", "violets and then?"),
    ]


def test_a_mentioned_assistant_reads_the_room_without_notices_and_answers_in_it(
    ana: Person, bob: Person, model: ModelServer
) -> None:
    room = ana.create_room()
    ana.invite(room, bob)
    ana_socket = ana.connect()
    ana_socket.join(room)
    ana_socket.post("no assistant is mentioned", room)
    bob.connect().post("good morning", room)
    ana_socket.call(
        "send_message",
        {"conversation": room, "content": "a notice", "client_id": str(uuid.uuid4()), "message_type": "system"},
    )
    question_seq = ana_socket.post("@model hello", room)["seq"]
    answer = wait_for_answer(ana_socket, room)
    request = next(each for each in model.received_requests() if "good morning" in str(each))
    assert [turn["content"] for turn in request["messages"]] == [
        "Be brief.",
        "Ana: no assistant is mentioned",
        "Bob: good morning",
        "hello",
    ]
    metadata = answer["metadata"]
    assert metadata["provider"] == "openai"
    assert metadata["model"].startswith("gpt-4o")
    assert min(metadata["prompt_tokens"], metadata["completion_tokens"]) > 0
    assert (answer["reply_to"], answer["content"]) == (question_seq, "Good **morning**, Ana.")
    assert len(received_answers(ana_socket, room)) == 1


def test_the_daily_limit_applies_to_each_user(
    new_server: NewServer, new_person: NewPerson, model: ModelServer, tmp_path: Path
) -> None:
    file = write_assistants(tmp_path / "assistants.toml", model.url)
    server = new_server(CHATAPP_ASSISTANTS_FILE=str(file), CHATAPP_ASSISTANT_DAILY_LIMIT="2").start()
    ana = new_person(server, "ana")
    bob = new_person(server, "bob")
    conversation, socket = shared_conversation(server), ana.connect()
    socket.join(conversation)
    for number in range(1, 3):
        seq = socket.post("hello", conversation)["seq"]
        assert wait_for_answer(socket, conversation, number)["state"] == "complete"
    socket.post("hello", conversation)
    refused = wait_for_answer(socket, conversation, 3)
    assert (refused["state"], refused["message_type"]) == ("failed", "error")
    assert "limit of 2 questions in 24 hours" in refused["problem"]
    assert (
        socket.call("answer_again", {"conversation": conversation, "seq": seq + 1})["error"]["code"] == "rate_limited"
    )
    bob_socket = bob.connect()
    for _ in range(2):
        session = start_session(bob, "model")
        bob_socket.join(session)
        bob_socket.post("hello", session)
        assert wait_for_answer(bob_socket, session)["state"] == "complete"
        path = f"/sessions/{session.removeprefix('assistant_')}"
        assert bob.post(f"{path}/delete", path).ok
    bob_socket.post("hello", conversation)
    assert "limit of 2 questions" in wait_for_answer(socket, conversation, 4)["problem"]
    assert ana.post(f"/conversations/{conversation}/clear", "/assistants/model").ok
    socket.post("hello", conversation)
    assert "limit of 2 questions" in wait_for_answer(socket, conversation, 5)["problem"]


def test_a_model_server_that_sends_no_text_cannot_hold_an_answer(
    new_server: NewServer, new_person: NewPerson, tmp_path: Path
) -> None:
    responses = [
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", b": nothing yet\n\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Nothing: yet\r\n"),
    ]
    cut_off: list[int] = []

    def respond(listener: sockets.socket) -> None:
        for number, (head, line) in enumerate(responses):
            connection, _ = listener.accept()
            with connection:
                try:
                    connection.sendall(head)
                    for byte in line * 100:
                        time.sleep(0.2)
                        connection.sendall(bytes([byte]))
                except OSError:
                    cut_off.append(number)

    with sockets.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        file = write_assistants(tmp_path / "assistants.toml", url, timeout=1, retries=0, max_seconds=4)
        server = new_server(CHATAPP_ASSISTANTS_FILE=str(file)).start()
        ana = new_person(server, "ana")
        conversation, client = shared_conversation(server), ana.connect()
        client.join(conversation)
        threading.Thread(target=respond, args=(listener,), daemon=True).start()
        for number, problem in enumerate(["The model took too long to answer.", "cut off after 4 seconds"], 1):
            client.post("hello", conversation)
            assert problem in wait_for_answer(client, conversation, number)["problem"]
            eventually(lambda: len(cut_off) == number, "the connection is closed")  # noqa: B023


def test_an_invalid_file_of_assistants_ends_the_start_with_a_message(new_server: NewServer, tmp_path: Path) -> None:
    file = tmp_path / "assistants.toml"
    file.write_text('[[assistant]]\nname = "Two Words"')
    printed = new_server(CHATAPP_ASSISTANTS_FILE=str(file)).flask("users", "--help", expect=1)
    assert str(file) in printed
    assert "Traceback" not in printed
