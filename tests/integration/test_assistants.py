"""Assistants: asked, answering in a stream, stopped, interrupted, limited."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.harness.models import LONG, ModelServer, write_assistants
from tests.harness.people import NewPerson, Person, Socket
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually

STATES = {"queued", "streaming", "complete", "stopped", "interrupted", "failed"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    model = ModelServer(tmp_path_factory.mktemp("model")).start()
    yield model
    model.stop()


@pytest.fixture
def assisted(new_server: NewServer, model: ModelServer, tmp_path: Path) -> Server:
    """A server with the built-in assistant and one behind a model server."""
    file = write_assistants(tmp_path / "assistants.toml", model.url, timeout=2, retries=1)
    return new_server(CHATAPP_ASSISTANTS_FILE=str(file)).start()


@pytest.fixture
def on_both(new_server: NewServer, database_url: str, model: ModelServer, tmp_path: Path) -> Server:
    """The same on each of the two databases in turn."""
    file = write_assistants(tmp_path / "assistants.toml", model.url, timeout=2, retries=1)
    return new_server(database_url=database_url, CHATAPP_ASSISTANTS_FILE=str(file)).start()


@pytest.fixture
def ana(assisted: Server, new_person: NewPerson) -> Person:
    return new_person(assisted, "ana")


@pytest.fixture
def bob(assisted: Server, ana: Person, new_person: NewPerson) -> Person:
    return new_person(assisted, "bob")


def shared(server: Server, assistant: str = "model") -> str:
    """Name the conversation that everybody has with an assistant."""

    def numbers() -> list[Any]:
        return server.rows(f"SELECT id FROM conversations WHERE assistant = '{assistant}' AND visibility = 'open'")

    eventually(numbers, "the shared conversation is there")
    return f"assistant_{numbers()[0][0]}"


def answers_in(socket: Socket, conversation: str) -> list[dict[str, Any]]:
    """List what was told of answers, the newest state of each by its number."""
    told = [*socket.payloads("chat_message"), *socket.payloads("message_changed")]
    by_seq = {
        each["seq"]: each
        for each in sorted(told, key=lambda each: each["version"])
        if each["conversation"] == conversation and each["sender_type"] == "assistant"
    }
    return [by_seq[seq] for seq in sorted(by_seq)]


def wait_for_answer(socket: Socket, conversation: str, count: int = 1) -> dict[str, Any]:
    """Wait until `count` answers are over and give the last one."""

    def over() -> list[dict[str, Any]]:
        return [each for each in answers_in(socket, conversation) if each["state"] not in {"queued", "streaming"}]

    eventually(lambda: len(over()) >= count, f"{count} answers are over", 30)
    return over()[count - 1]


def test_an_answer_streams_to_everybody_who_has_the_conversation_open(
    assisted: Server, ana: Person, bob: Person
) -> None:
    place = shared(assisted)
    hers, his = ana.connect(), bob.connect()
    for socket in (hers, his):
        socket.join(place)
    question = hers.post("talk to me", place)
    for socket in (hers, his):
        answer = wait_for_answer(socket, place)
        assert (answer["state"], answer["content"], answer["reply_to"]) == ("complete", LONG, question["seq"])
        assert (answer["seq"], answer["sender"], answer["sender_name"]) == (question["seq"] + 1, None, "Model")
        deltas = socket.payloads("assistant_delta")
        assert [delta["n"] for delta in deltas] == list(range(1, len(deltas) + 1))
        assert len(deltas) > 5
        assert LONG in deltas[-1]["html"]
        assert socket.wait_for("assistant_done") == [{"conversation": place, "seq": answer["seq"]}]
    assert assisted.rows("SELECT state, content FROM messages WHERE sender_type = 'assistant'") == [("complete", LONG)]


def test_whoever_joins_in_the_middle_sees_what_is_there_and_the_rest_live(
    assisted: Server, ana: Person, bob: Person
) -> None:
    place = shared(assisted)
    hers = ana.connect()
    hers.join(place)
    hers.post("talk to me", place)
    hers.wait_for("assistant_delta", 5)
    his = bob.connect()
    joined = his.join(place)
    (stream,) = joined["answers"]
    assert stream["n"] >= 5
    assert "word0" in stream["html"]
    wait_for_answer(his, place)
    # A delta that was sent while the socket joined may arrive before the acknowledgement.
    numbers = [delta["n"] for delta in his.payloads("assistant_delta") if delta["n"] > stream["n"]]
    assert numbers[0] == stream["n"] + 1
    assert his.join(place)["answers"] == []


def test_stopping_ends_an_answer_at_once_and_keeps_what_was_said(assisted: Server, ana: Person, bob: Person) -> None:
    place = shared(assisted)
    hers, his = ana.connect(), bob.connect()
    hers.join(place)
    asked = his.post("talk to me", place)["seq"]
    hers.wait_for("assistant_delta", 4)
    eve = bob.connect()  # Whoever asked may, from wherever.
    assert eve.call("stop_answer", {"conversation": place, "seq": asked + 1})["ok"]
    answer = wait_for_answer(hers, place)
    assert answer["state"] == "stopped"
    assert answer["content"]
    assert LONG.startswith(answer["content"])
    count = len(hers.payloads("assistant_delta"))
    assert hers.call("stop_answer", {"conversation": place, "seq": asked + 1})["ok"]
    assert len(hers.payloads("assistant_delta")) == count


def test_only_who_asked_or_an_admin_stops_an_answer_or_asks_again(
    assisted: Server, ana: Person, bob: Person, new_person: NewPerson
) -> None:
    place = shared(assisted)
    eve = new_person(assisted, "eve").connect()
    his = bob.connect()
    his.join(place)
    seq = his.post("hello", place)["seq"] + 1
    wait_for_answer(his, place)
    for event in ("stop_answer", "answer_again"):
        assert eve.call(event, {"conversation": place, "seq": seq})["error"]["code"] == "forbidden"
        assert ana.connect().call(event, {"conversation": place, "seq": seq})["ok"], event
        assert his.call(event, {"conversation": place, "seq": seq - 1})["error"]["code"] == "not_found"
        wait_for_answer(his, place)


def test_asking_again_answers_in_the_same_place(assisted: Server, ana: Person) -> None:
    place = shared(assisted)
    socket = ana.connect()
    socket.join(place)
    seq = socket.post("hello", place)["seq"] + 1
    first = wait_for_answer(socket, place)
    again = socket.call("answer_again", {"conversation": place, "seq": seq})["message"]
    assert (again["state"], again["content"], again["seq"]) == ("queued", "", seq)
    eventually(lambda: answers_in(socket, place)[0]["version"] > again["version"], "it is answered again")
    second = wait_for_answer(socket, place)
    assert (second["state"], second["content"]) == ("complete", first["content"])
    assert assisted.rows("SELECT count(*) FROM messages") == [(2,)]


def test_one_answer_at_a_time_the_next_ones_wait(on_both: Server, new_person: NewPerson) -> None:
    ana, place = new_person(on_both, "ana"), shared(on_both)
    socket = ana.connect()
    socket.join(place)
    seqs = [socket.post(text, place)["seq"] for text in ("talk to me", "hello once", "hello twice")]
    socket.wait_for("assistant_delta", 2)
    states = on_both.rows("SELECT state FROM messages WHERE sender_type = 'assistant' ORDER BY seq")
    assert states == [("streaming",), ("queued",), ("queued",)]
    waiting = answers_in(socket, place)[2]["seq"]
    assert socket.call("stop_answer", {"conversation": place, "seq": waiting})["message"]["state"] == "stopped"
    socket.call("stop_answer", {"conversation": place, "seq": answers_in(socket, place)[0]["seq"]})
    wait_for_answer(socket, place, 3)
    done = answers_in(socket, place)
    assert [(each["state"], each["reply_to"]) for each in done] == list(
        zip(("stopped", "complete", "stopped"), seqs, strict=True)
    )
    assert not done[2]["content"]


@pytest.mark.parametrize("signal", ["kill", "terminate"])
def test_a_server_that_ends_in_the_middle_leaves_an_interrupted_answer_and_works_off_what_waits(
    on_both: Server, new_person: NewPerson, signal: str
) -> None:
    ana, place = new_person(on_both, "ana"), shared(on_both)
    socket = ana.connect()
    socket.join(place)
    socket.post("talk to me", place)
    socket.post("hello after all", place)
    # A first store of what grows.
    eventually(
        lambda: on_both.rows("SELECT count(*) FROM messages WHERE state = 'streaming' AND content <> ''") == [(1,)],
        "what grows is stored",
    )
    getattr(on_both, signal)()
    on_both.start()
    again = ana.connect()
    again.join(place)
    answers = "SELECT state, content FROM messages WHERE sender_type = 'assistant' ORDER BY seq"
    eventually(
        lambda: [state for state, _ in on_both.rows(answers)] == ["interrupted", "complete"], "both are over", 20
    )
    (_, said), (_, other) = on_both.rows(answers)
    assert said
    assert LONG.startswith(said)
    assert other == "Good **morning**, Ana."
    page = ana.get("/assistants/model").text
    assert "chatapp restarted while this answer was being written." in page
    assert said in page


def test_an_outage_of_the_database_loses_no_question_and_no_answer(
    postgres: Any, new_server: NewServer, new_person: NewPerson, model: ModelServer, tmp_path: Path
) -> None:
    file = write_assistants(tmp_path / "assistants.toml", model.url)
    server = new_server(database_url=postgres.create_database(), CHATAPP_ASSISTANTS_FILE=str(file)).start()
    ana = new_person(server, "ana")
    place = shared(server)
    socket = ana.connect()
    socket.join(place)
    socket.post("talk to me", place)
    socket.wait_for("assistant_delta", 3)
    postgres.stop()
    assert socket.send("hello in the dark", place)["message"]["pending"]
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


def test_what_fails_is_said_in_the_conversation(
    new_server: NewServer, new_person: NewPerson, model: ModelServer, tmp_path: Path
) -> None:
    file = write_assistants(tmp_path / "assistants.toml", model.url, timeout=2, retries=1)
    server = new_server(CHATAPP_ASSISTANTS_FILE=str(file)).start()
    ana = new_person(server, "ana")
    place, socket = shared(server), ana.connect()
    socket.join(place)
    for count, (question, problem) in enumerate(FAILURES.items(), start=1):
        socket.post(question, place)
        answer = wait_for_answer(socket, place, count)
        assert (answer["state"], answer["problem"]) == ("failed", problem), question
        assert bool(answer["content"]) == (question == "break"), question
    for secret in ("sk-secret", "sk-1234"):
        assert secret not in server.log() + ana.get("/assistants/model").text
    assert "Traceback" not in server.log()
    socket.post("hello again", place)
    assert wait_for_answer(socket, place, len(FAILURES) + 1)["state"] == "complete"


def test_a_model_is_given_its_prompt_and_the_last_real_messages_in_order(
    assisted: Server, ana: Person, bob: Person, model: ModelServer
) -> None:
    place = shared(assisted)
    hers, his = ana.connect(), bob.connect()
    hers.join(place)
    hers.post("hello first", place)
    wait_for_answer(hers, place)
    deleted = his.post("busy", place)["seq"]
    wait_for_answer(hers, place, 2)
    his.call("delete_message", {"conversation": place, "seq": deleted})
    hers.post("and now something", place)
    wait_for_answer(hers, place, 3)
    messages = next(
        each["messages"] for each in model.received_requests() if each["messages"][-1]["content"] == "and now something"
    )
    assert messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Ana: hello first"},
        {"role": "assistant", "content": "Good **morning**, Ana."},
        {"role": "user", "content": "and now something"},
    ]


def test_an_assistant_that_is_mentioned_answers_there(assisted: Server, ana: Person, bob: Person) -> None:
    room = ana.create_room()
    ana.invite(room, bob)
    hers = ana.connect()
    hers.join(room)
    hers.post("nobody is asked", room)
    asked = hers.post("@model hello", room)["seq"]
    answer = wait_for_answer(hers, room)
    assert (answer["reply_to"], answer["content"]) == (asked, "Good **morning**, Ana.")
    # What an assistant says, or a bot, asks nobody.
    assert len(answers_in(hers, room)) == 1


def test_a_session_has_a_title_and_nobody_else_knows_of_it(assisted: Server, ana: Person, bob: Person) -> None:
    page = ana.post("/sessions", "/sessions", assistant="model")
    path = page.url.removeprefix(assisted.url)
    place = "assistant_" + path.rpartition("/")[2]
    socket = ana.connect()
    socket.join(place)
    socket.post("hello, what is the plan for the third quarter of the next year in all our offices?", place)
    wait_for_answer(socket, place)
    assert "hello, what is the plan for the third quarter of the next…" in ana.get(path).text
    assert bob.get(path).status_code == 404
    assert bob.connect().call("join_chat", {"conversation": place})["error"]["code"] == "not_found"
    assert ana.post(f"{path}/title", f"{path}/title", title="Plans").url == page.url
    assert "Plans" in ana.get("/sessions?q=pla").text
    assert "Plans" not in ana.get("/sessions?q=other").text.partition("<main")[2]
    assert ana.post(f"{path}/end").ok
    assert socket.send("hello?", place)["error"]["code"] == "archived"
    assert ana.post(f"{path}/delete").ok
    assert socket.wait_for("removed_from_chat") == [{"conversation": place}]
    assert ana.get(path).status_code == 404
    assert assisted.rows("SELECT count(*) FROM messages") == [(0,)]


def test_clearing_is_for_the_admin_or_the_owner(assisted: Server, ana: Person, bob: Person) -> None:
    place = shared(assisted)
    socket = bob.connect()
    socket.join(place)
    socket.post("hello", place)
    wait_for_answer(socket, place)
    assert bob.post(f"/conversations/{place}/clear").status_code == 403
    assert ana.post(f"/conversations/{place}/clear").ok
    socket.wait_for("heads")
    assert assisted.rows("SELECT count(*) FROM messages") == [(0,)]
    socket.post("hello again", place)
    assert wait_for_answer(socket, place, 2)["state"] == "complete"


def test_a_person_asks_only_so_often_in_a_day(
    new_server: NewServer, new_person: NewPerson, model: ModelServer, tmp_path: Path
) -> None:
    file = write_assistants(tmp_path / "assistants.toml", model.url)
    server = new_server(CHATAPP_ASSISTANTS_FILE=str(file), CHATAPP_ASSISTANT_DAILY_LIMIT="2").start()
    ana = new_person(server, "ana")
    bob = new_person(server, "bob")
    place, socket = shared(server), ana.connect()
    socket.join(place)
    for number in range(1, 3):
        seq = socket.post("hello", place)["seq"]
        assert wait_for_answer(socket, place, number)["state"] == "complete"
    socket.post("hello", place)
    refused = wait_for_answer(socket, place, 3)
    assert refused["state"] == "failed"
    assert "limit of 2 questions in 24 hours" in refused["problem"]
    assert socket.call("answer_again", {"conversation": place, "seq": seq + 1})["error"]["code"] == "rate_limited"
    bob.connect().post("hello", place)
    assert wait_for_answer(socket, place, 4)["state"] == "complete"


def test_a_question_by_the_api_may_be_answered_as_events(assisted: Server, ana: Person) -> None:
    api = ana.api()
    session = api.post("/sessions", json={"assistant": "model", "title": "By a program"}).json()
    path = f"/sessions/{session['id']}/messages"
    with api.request(
        "POST", path, json={"content": "talk to me"}, headers={"Accept": "text/event-stream"}, stream=True
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        events = list(read_events(answer))
    assert [name for name, _ in events if name != "delta"] == ["message", "done"]
    assert "".join(data["content"] for name, data in events if name == "delta") == LONG
    assert events[-1][1]["content"] == LONG
    assert [each["sender_type"] for each in api.get(path).json()["messages"]] == ["user", "assistant"]
    listed = api.get("/sessions").json()
    assert [(each["title"], each["total"]) for each in listed["sessions"]] == [("By a program", 2)]
    assert api.request("DELETE", f"/sessions/{session['id']}").status_code == 204
    assert api.get(path).status_code == 404


def read_events(answer: requests.Response) -> Iterator[tuple[str, Any]]:
    """Read server-sent events."""
    name = ""
    for line in answer.iter_lines(decode_unicode=True):
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


def test_the_shared_history_is_read_by_page_and_cleared_by_an_admin(assisted: Server, ana: Person, bob: Person) -> None:
    place, socket = shared(assisted), bob.connect()
    socket.join(place)
    socket.post("hello", place)
    wait_for_answer(socket, place)
    his, hers = bob.api(), ana.api()
    found = his.get("/chat/history?bot_id=model").json()
    assert [(each["role"], each["content"]) for each in found["messages"]] == [
        ("user", "hello"),
        ("assistant", "Good **morning**, Ana."),
    ]
    assert (found["success"], found["total"], found["limit"], found["offset"]) == (True, 2, 100, 0)
    assert [each["role"] for each in his.get("/chat/history?bot_id=model&limit=1&offset=1").json()["messages"]] == [
        "assistant"
    ]
    for wrong, status in (("", 400), ("?bot_id=", 400), ("?bot_id=nobody", 404), ("?bot_id=model&limit=0", 400)):
        refused = his.get(f"/chat/history{wrong}")
        assert refused.status_code == status, wrong
        assert refused.json()["detail"]
    assert his.request("DELETE", "/chat/history?bot_id=model").status_code == 403
    assert hers.request("DELETE", "/chat/history?bot_id=model").json()["deleted"] == 2
    assert his.get("/chat/history?bot_id=model").json()["messages"] == []


def test_many_questions_at_once_are_all_answered(assisted: Server, ana: Person) -> None:
    api = ana.api()
    sessions = [api.post("/sessions", json={"assistant": "model"}).json()["id"] for _ in range(8)]
    answers: list[Any] = []

    def ask(session: int) -> None:
        path = f"/sessions/{session}/messages"
        with api.request(
            "POST", path, json={"content": "hello"}, headers={"Accept": "text/event-stream"}, stream=True
        ) as answer:
            answers.append(list(read_events(answer))[-1][1]["content"])

    threads = [threading.Thread(target=ask, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == ["Good **morning**, Ana."] * 8


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        '[[assistant]]\nname = "Two Words"',
        '[[assistant]]\nname = "a"\nunknown = 1',
        '[[assistant]]\nname = "a"\n[[assistant]]\nname = "a"',
        '[[assistant]]\nname = "a"\nprovider = { kind = "other" }',
    ],
)
def test_a_file_that_does_not_fit_is_said_at_the_start(new_server: NewServer, tmp_path: Path, text: str) -> None:
    file = tmp_path / "assistants.toml"
    file.write_text(text)
    server = new_server(CHATAPP_ASSISTANTS_FILE=str(file))
    told = server.flask("users", "--help", expect=1)
    assert str(file) in told
    assert "Traceback" not in told
