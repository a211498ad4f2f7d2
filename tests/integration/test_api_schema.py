"""The API against its own document: schemathesis sends valid and invalid requests and checks the responses."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.harness.people import NewPerson, Person
from tests.harness.servers import NewServer, clean_environment
from tests.harness.waiting import scaled

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
]


def test_requests_and_responses_conform_to_the_document(
    new_server: NewServer, database_url: str, new_person: NewPerson, tmp_path: Path
) -> None:
    server = new_server(database_url=database_url, CHATAPP_API_REQUESTS_PER_MINUTE="0").start()
    ana = new_person(server, "ana")
    bob = new_person(server, "bob")
    room = ana.create_room()
    assert bob.open_direct(ana)
    assert ana.open_direct(ana)
    session = ana.api().post("/sessions", json={}).json()["conversation"]
    api = ana.api()
    for number in range(3):
        for conversation in ("general", room, "direct_4", session):
            assert api.post(f"/conversations/{conversation}/messages", json={"content": f"{number}"}).ok

    create_examples(ana, room)

    # The databases differ in a few answers only, and each request takes longer on PostgreSQL.
    options = ["--phases=fuzzing", "--max-examples=5"] if database_url else ["--max-examples=8"]
    done = run_schemathesis(ana, tmp_path, *options)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "Traceback" not in server.log()


def test_addresses_that_are_too_long_are_refused_as_documented(ana: Person) -> None:
    api = ana.api()
    operation = api.get("/openapi.json").json()["paths"]["/api/conversations"]["get"]
    response = api.get("/conversations", params={"after": "1" * 9_000})
    assert str(response.status_code) == "414"
    assert "414" in operation["responses"]
    assert not response.content


def create_examples(person: Person, room: str) -> None:
    """Create what requests with small numbers find: threads, pins, saved messages, drafts, schedules, deletions."""
    api, path = person.api(), f"/conversations/{room}"
    due_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for number in range(1, 4):
        message = f"{path}/messages/{number}"
        assert api.request("PATCH", message, json={"content": f"edited {number}"}).ok
        assert api.request("PUT", f"{message}/saved").ok
        assert api.request("PUT", f"{message}/pin").ok
        assert api.post(f"{path}/messages", json={"content": "@ana a reply", "thread": number}).ok
        assert api.post(f"{path}/scheduled", json={"content": f"scheduled {number}", "due_at": due_at}).ok
        reminder = {"content": f"reminder {number}", "due_at": due_at, "conversation": room, "seq": number}
        assert api.post("/reminders", json=reminder).ok
        draft = {"content": f"draft {number}", "version": 0, "thread": number}
        saved = api.request("PUT", f"{path}/draft", json=draft)
        assert saved.ok, saved.text
    assert api.request("DELETE", f"{path}/messages/3").ok


def run_schemathesis(person: Person, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert program is not None
    return subprocess.run(
        [
            program,
            "run",
            f"{person.server.url}/api/openapi.json",
            "--header",
            f"Authorization: Bearer {person.create_token()}",
            "--checks",
            ",".join(CHECKS),
            *options,
            "--generation-database=none",
            # A run without a change sends the same requests: what it finds, the change has caused.
            "--seed=1",
            "--workers=1",
            "--no-color",
            "--continue-on-failure",
        ],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=scaled(100),
        check=False,
    )
