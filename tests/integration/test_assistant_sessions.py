"""Assistant sessions and the shared history of an assistant, on pages and through the API."""

import threading
import uuid

from tests.harness.assistants import read_events, shared_conversation, start_session, wait_for_answer
from tests.harness.people import Person
from tests.harness.servers import Server

THANKS = "You’re welcome."


def test_a_session_is_titled_renamed_ended_and_deleted_by_its_owner(server: Server, ana: Person) -> None:
    conversation = start_session(ana)
    path = f"/sessions/{conversation.removeprefix('assistant_')}"
    socket = ana.connect()
    socket.join(conversation)
    socket.post("hello, what is the plan for the third quarter of the next year in all our offices?", conversation)
    wait_for_answer(socket, conversation)
    assert "hello, what is the plan for the third quarter of the next…" in ana.get(path).text
    assert ana.post(f"{path}/title", f"{path}/title", title="Plans").url == server.url + path
    assert "Plans" in ana.get("/sessions?q=pla").text
    assert "Plans" not in ana.get("/sessions?q=other").text.partition("<main")[2]
    assert ana.post(f"{path}/end").ok
    # A message to an ended session does not go to a new one: people start that themselves.
    assert socket.send("hello?", conversation)["error"]["code"] == "archived"
    assert 'aria-label="New session"' in ana.get(path).text
    assert ana.post(f"{path}/delete").ok
    assert socket.wait_for("removed_from_chat") == [{"conversation": conversation}]
    assert socket.send("hello?", conversation)["error"]["code"] == "not_found"
    assert ana.get(path).status_code == 404
    assert server.rows("SELECT count(*) FROM messages") == [(0,)]


def test_a_session_is_hidden_from_other_users(ana: Person, bob: Person) -> None:
    conversation = start_session(ana)
    assert bob.get(f"/sessions/{conversation.removeprefix('assistant_')}").status_code == 404
    assert bob.connect().call("join_chat", {"conversation": conversation})["error"]["code"] == "not_found"


def test_sessions_are_tagged_found_by_their_tags_and_pinned(ana: Person) -> None:
    api = ana.api()
    first, second = (api.post("/sessions", json={"title": title}).json()["id"] for title in ("Plans", "Lunch"))
    begun = api.post("/sessions", json={"category": " Office ", "tags": ["work", "Work"]}).json()
    assert (begun["category"], begun["tags"]) == ("Office", ["work"])
    assert api.request("DELETE", f"/sessions/{begun['id']}").ok
    changed = api.request(
        "PATCH", f"/sessions/{first}", json={"tags": [" Work ", "work", "Q3"], "category": "Office", "pinned": True}
    ).json()
    assert (changed["tags"], changed["category"], changed["is_pinned"]) == (["Work", "Q3"], "Office", True)

    def found(query: str) -> list[int]:
        return [session["id"] for session in api.get(f"/sessions{query}").json()["sessions"]]

    assert found("") == [first, second]
    assert found("?q=q3") == found("?category=office") == found("?q=plan") == [first]
    path = f"/sessions/{second}"
    assert "Up to 10, separated by commas." in ana.get(f"{path}/title").text
    assert ana.post(f"{path}/title", f"{path}/title", title="Lunch", category="Food", tags="noon, , soup").ok
    assert ana.post(f"{path}/pin", path, pinned="yes").ok
    assert ana.post(f"/sessions/{first}/pin", path, pinned="no").ok
    assert found("") == [second, first]
    listed = ana.get("/sessions?q=soup").text.partition("<main")[2]
    assert "#noon" in listed
    assert "Plans" not in listed
    for tags in (["a,b"], ["x" * 31], [""], ["a\nb\0"], [str(number) for number in range(11)]):
        assert api.request("PATCH", f"/sessions/{first}", json={"tags": tags}).status_code == 400, tags
        assert api.post("/sessions", json={"tags": tags}).status_code == 400, tags


def test_a_uuid_in_place_of_an_id_is_not_found(ana: Person) -> None:
    other = uuid.uuid4()
    for path in ("/sessions/{}", "/sessions/{}/messages", "/conversations/{}", "/chat/history/{}"):
        assert ana.api().get(path.format(other)).json()["code"] == "not_found", path
    assert ana.api().get("/sessions/nonsense").status_code == 400


def test_the_history_of_an_unknown_bot_id_is_empty(ana: Person) -> None:
    for bot_id in ("nobody", "No%20Name", "x" * 500):
        response = ana.api().get(f"/chat/history?bot_id={bot_id}")
        assert response.status_code == 200
        history = response.json()
        assert (history["success"], history["messages"], history["total"]) == (True, [], 0)
        assert ana.api().request("DELETE", f"/chat/history?bot_id={bot_id}").status_code == 404


def test_a_missing_bot_id_is_reported_in_the_body(ana: Person) -> None:
    for method, query in (("GET", ""), ("GET", "?bot_id="), ("GET", "?bot_id=%20"), ("DELETE", "")):
        response = ana.api().request(method, f"/chat/history{query}")
        assert response.status_code == 200
        body = response.json()
        assert body == {"success": False, "error": "bot_id is required", "timestamp": body["timestamp"]}


def test_only_an_admin_can_clear_a_shared_conversation(server: Server, ana: Person, bob: Person) -> None:
    conversation = shared_conversation(server, "helper")
    socket = bob.connect()
    socket.join(conversation)
    socket.post("thanks", conversation)
    wait_for_answer(socket, conversation)
    assert bob.post(f"/conversations/{conversation}/clear").status_code == 403
    assert ana.post(f"/conversations/{conversation}/clear").ok
    socket.wait_for("heads")
    assert server.rows("SELECT count(*) FROM messages") == [(0,)]
    socket.post("thanks", conversation)
    assert wait_for_answer(socket, conversation, 2)["state"] == "complete"


def test_the_api_streams_the_answer_to_a_question(ana: Person) -> None:
    api = ana.api()
    session = api.post("/sessions", json={"assistant": "helper", "title": "By a program"}).json()
    path = f"/sessions/{session['id']}/messages"
    with api.request(
        "POST", path, json={"content": "hello"}, headers={"Accept": "text/event-stream"}, stream=True
    ) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        events = list(read_events(response))
    answer = events[-1][1]["content"]
    deltas = [data["content"] for name, data in events if name == "delta"]
    assert [name for name, _ in events] == ["message", *["delta"] * len(deltas), "done"]
    assert "".join(deltas) == answer
    assert answer.startswith("Hello Ana!")
    assert len(deltas) > 5
    assert [message["sender_type"] for message in api.get(path).json()["messages"]] == ["user", "assistant"]
    sessions = api.get("/sessions").json()["sessions"]
    assert [(each["title"], each["total"]) for each in sessions] == [("By a program", 2)]
    assert api.request("DELETE", f"/sessions/{session['id']}").status_code == 204
    assert api.get(path).status_code == 404


def test_simultaneous_questions_through_the_api_are_all_answered(ana: Person) -> None:
    api = ana.api()
    paths = [f"/sessions/{api.post('/sessions', json={}).json()['id']}/messages" for _ in range(8)]
    answers: list[str] = []

    def ask(path: str) -> None:
        with api.request(
            "POST", path, json={"content": "thanks"}, headers={"Accept": "text/event-stream"}, stream=True
        ) as response:
            answers.append(list(read_events(response))[-1][1]["content"])

    threads = [threading.Thread(target=ask, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [THANKS] * 8


def test_the_shared_history_is_paged_for_all_and_cleared_by_an_admin(server: Server, ana: Person, bob: Person) -> None:
    conversation, socket = shared_conversation(server, "helper"), bob.connect()
    socket.join(conversation)
    socket.post("thanks", conversation)
    wait_for_answer(socket, conversation)
    api = bob.api()
    history = api.get("/chat/history?bot_id=helper").json()
    messages = [(message["role"], message["content"]) for message in history["messages"]]
    assert messages == [("user", "thanks"), ("assistant", THANKS)]
    assert (history["success"], history["total"], history["limit"], history["offset"]) == (True, 2, 100, 0)
    second = api.get("/chat/history?bot_id=helper&limit=1&offset=1").json()
    assert [message["role"] for message in second["messages"]] == ["assistant"]
    assert api.get("/chat/history?bot_id=%20HELPER&limit=500").json()["limit"] == 100
    assert api.get("/chat/history?bot_id=%20HELPER").json()["total"] == 2
    assert api.get("/chat/history?bot_id=helper&limit=0").status_code == 400
    assert api.request("DELETE", "/chat/history?bot_id=helper").status_code == 403
    assert ana.api().request("DELETE", "/chat/history?bot_id=helper").json()["deleted"] == 2
    assert api.get("/chat/history?bot_id=helper").json()["messages"] == []
