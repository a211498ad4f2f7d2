"""Session templates: a prompt and first messages that sessions begin with, on pages and through the API."""

from html import unescape
from typing import Any

from tests.harness.api import check_problem
from tests.harness.assistants import read_events, start_session
from tests.harness.html import attribute, find_element, text
from tests.harness.people import Api, Person
from tests.harness.servers import Server
from tests.harness.waiting import eventually

FIRST_MESSAGES = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Send me your notes."}]


def create_template(api: Api, **fields: Any) -> int:
    response = api.post("/templates", json={"name": "Minutes", "messages": FIRST_MESSAGES} | fields)
    assert response.status_code == 201, response.text
    template_id: int = response.json()["id"]
    return template_id


def start(api: Api, template_id: int, **fields: Any) -> dict[str, Any]:
    response = api.post("/sessions", json={"template": template_id} | fields)
    assert response.status_code == 201, response.text
    session: dict[str, Any] = response.json()
    return session


def test_a_session_begins_with_the_messages_of_its_template(ana: Person) -> None:
    api = ana.api()
    template_id = create_template(api, prompt="Write minutes.", category="Office", tags=["notes"], assistant="helper")
    session = start(api, template_id)
    assert (session["category"], session["tags"], session["total"]) == ("Office", ["notes"], 2)
    assert session["prompt"] == "Write minutes."
    path = f"/sessions/{session['id']}/messages"
    messages = api.get(path).json()["messages"]
    assert [(each["seq"], each["sender_type"], each["content"]) for each in messages] == [
        (1, "user", "Hello"),
        (2, "assistant", "Send me your notes."),
    ]
    assert messages[0]["sender"]["username"] == "ana"
    assert (messages[1]["state"], messages[1]["reply_to"]) == ("complete", 1)
    sidebar = ana.get("/sessions").text.partition("<main")[0]
    assert "data-unread-count" not in attribute(sidebar, f'[href="/sessions/{session["id"]}"]', "class")

    with api.request(
        "POST", path, json={"content": "thanks"}, headers={"Accept": "text/event-stream"}, stream=True
    ) as response:
        (_, question), *_, (_, answer) = read_events(response)
    assert (question["seq"], answer["seq"]) == (3, 4)
    # The title is what its owner asks, not what every session begins with.
    assert api.get(f"/sessions/{session['id']}").json()["title"] == "thanks"


def test_what_no_assistant_has_written_is_marked_on_pages_public_links_and_in_exports(
    server: Server, ana: Person
) -> None:
    session = start(ana.api(), create_template(ana.api(), assistant="helper"))
    conversation, path = session["conversation"], f"/sessions/{session['id']}"
    ana.post(f"/conversations/{conversation}/share", path)
    (token,) = server.share_tokens()
    for page in (path, f"/shared/{token}"):
        assert text(ana.get(page).text, ".message-sender + .badge") == "template", page
    exported = ana.get(f"/conversations/{conversation}/export.md").text
    assert "Helper (assistant, from a template)" in exported
    # It is no longer the template's once the assistant has answered.
    assert ana.connect().call("answer_again", {"conversation": conversation, "seq": 2})["ok"]
    eventually(
        lambda: text(ana.get(path).text, ".message-sender + .badge") == "assistant", "the assistant has answered"
    )


def test_what_a_request_has_goes_before_the_template(ana: Person) -> None:
    api = ana.api()
    template_id = create_template(api, category="Office", tags=["notes"])
    session = start(api, template_id, category="", tags=["mine"], title="Monday", assistant="helper")
    assert (session["category"], session["tags"], session["title"]) == ("", ["mine"], "Monday")


def test_a_later_change_of_the_template_does_not_alter_running_sessions(ana: Person) -> None:
    api = ana.api()
    template_id = create_template(api, prompt="Be brief.", assistant="helper")
    session = start(api, template_id)
    changed = api.request(
        "PATCH", f"/templates/{template_id}", json={"prompt": "Be long.", "messages": [], "assistant": None}
    ).json()
    assert (changed["prompt"], changed["messages"], changed["assistant"]) == ("Be long.", [], None)
    assert changed["name"] == "Minutes"
    assert api.request("DELETE", f"/templates/{template_id}").status_code == 204
    after = api.get(f"/sessions/{session['id']}").json()
    assert (after["prompt"], after["total"]) == ("Be brief.", 2)
    assert "Be brief." in ana.get(f"/sessions/{session['id']}/title").text
    exported = ana.get(f"/conversations/{session['conversation']}/export.json").json()
    assert exported["prompt"] == "Be brief."


def test_admins_edit_the_templates_for_everyone(server: Server, ana: Person, bob: Person) -> None:
    shared = create_template(ana.api(), name="For all", shared=True)
    api = bob.api()
    assert [(each["name"], each["is_shared"]) for each in api.get("/templates").json()["templates"]] == [
        ("For all", True)
    ]
    assert start(api, shared)["total"] == 2
    assert check_problem(api.post("/templates", json={"name": "Mine for all", "shared": True})) == (403, "forbidden")
    for method in ("PATCH", "DELETE"):
        assert check_problem(api.request(method, f"/templates/{shared}", json={})) == (403, "forbidden")
    assert bob.get(f"/templates/{shared}").status_code == 403
    page = bob.get("/templates").text
    assert "For all" in page
    assert f'href="/templates/{shared}"' not in page
    assert 'name="visibility"' not in bob.get("/templates/new").text

    assert ana.post(f"/templates/{shared}", "/templates", name="For us all").ok
    assert ana.post(f"/templates/{shared}/delete", "/templates").ok
    assert server.rows("SELECT kind, target FROM audit_log WHERE kind LIKE 'template.%' ORDER BY id") == [
        ("template.created", "For all"),
        ("template.changed", "For us all"),
        ("template.deleted", "For us all"),
    ]


def test_a_template_of_another_person_does_not_exist(ana: Person, bob: Person) -> None:
    # Not even for an admin.
    own, api = create_template(bob.api()), ana.api()
    assert api.get("/templates").json() == {"templates": [], "total": 0}
    for method in ("GET", "PATCH", "DELETE"):
        assert check_problem(api.request(method, f"/templates/{own}", json={})) == (404, "not_found")
    assert check_problem(api.post("/sessions", json={"template": own})) == (404, "not_found")
    assert ana.post("/sessions", template=str(own)).status_code == 404


REFUSED: list[dict[str, Any]] = [
    {"name": ""},
    {"name": "x" * 81},
    {"assistant": "nobody"},
    {"prompt": "x" * 8_001},
    {"prompt": "\0"},
    {"messages": [{"role": "system", "content": "x"}]},
    {"messages": [{"role": "user", "content": " "}]},
    {"messages": [{"role": "user", "content": "x"}] * 21},
    {"messages": [{"role": "user", "content": "x" * 9_000}] * 5},
    {"tags": ["a,b"]},
    {"category": "x" * 41},
]


def test_too_many_templates_and_what_is_too_long_are_refused(ana: Person) -> None:
    api = ana.api()
    for fields in REFUSED:
        assert api.post("/templates", json={"name": "Minutes"} | fields).status_code in {400, 413, 422}, fields
    for number in range(50):
        create_template(api, name=f"Template {number}")
    assert check_problem(api.post("/templates", json={"name": "One more"})) == (409, "conflict")
    assert api.get("/templates").json()["total"] == 50


def test_a_template_whose_assistant_is_gone_needs_another_one(server: Server, ana: Person) -> None:
    api = ana.api()
    template_id = create_template(api)
    server.execute("UPDATE session_templates SET assistant = 'gone'")
    assert check_problem(api.post("/sessions", json={"template": template_id})) == (409, "conflict")
    assert start(api, template_id, assistant="helper")["assistant"] == "helper"
    page = ana.get("/sessions").text
    assert "gone (no longer available)" in page
    assert ana.post("/sessions", template=str(template_id), assistant="helper").ok


def test_templates_are_written_and_used_without_javascript(ana: Person) -> None:
    written = {
        "name": "Stand-up",
        "messages-0-role": "assistant",
        "messages-0-content": "What did you do?",
    }
    more = ana.post("/templates/new", "/templates/new", add_message="Add message", **written).text
    assert attribute(more, "[name=name]", "value") == "Stand-up"
    assert find_element(more, "[name=messages-1-content]")
    created = ana.post(
        "/templates/new",
        "/templates/new",
        **written
        | {
            "prompt": "Ask three\r\nquestions.",
            "visibility": "own",
            "tags": "daily, team",
            "messages-1-role": "user",
            "messages-1-content": "",
        },
    )
    assert created.url.endswith("/templates")
    assert "Stand-up" in created.text
    path = attribute(created.text, '[aria-label="Edit Stand-up"]', "href")
    form = ana.get(path).text
    assert text(form, "[name=prompt]").strip() == "Ask three\nquestions."
    assert attribute(form, "[name=tags]", "value") == "daily, team"
    assert text(form, "[name=messages-0-content]").strip() == "What did you do?"
    refused = ana.post(path, path, name="", tags="x" * 31)
    assert refused.status_code == 400
    assert "A template needs a name." in unescape(refused.text)

    session = ana.post("/sessions", "/sessions", template=path.rpartition("/")[2])
    assert "What did you do?" in session.text
    # It answers no question, so there is nothing to answer again.
    assert "data-answer-again" not in session.text
    ref = "assistant_" + session.url.rpartition("/")[2]
    assert ana.connect().call("answer_again", {"conversation": ref, "seq": 1})["error"]["code"] == "conflict"
    assert ana.post(f"{path}/delete", "/templates").ok
    assert "Stand-up" not in ana.get("/templates").text
    assert start_session(ana)
