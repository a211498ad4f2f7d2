"""The audit log: what is recorded, that floods cannot fill it, and who may read, filter and export it."""

import json
import re
from typing import Any

import pytest
import structlog
from flask import Flask
from sqlalchemy import QueuePool, delete, func, select, update
from structlog.testing import capture_logs

from chatapp.accounts.login_sessions import create_login_session, revoke_login_session
from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.audit_log import AuditKind, format_person, queries, record, record_failed_sign_in
from chatapp.audit_log.queries import AuditFilter
from chatapp.audit_log.service import FAILURES_WINDOW, MAX_FAILURES_PER_WINDOW
from chatapp.errors import Conflict, SignedOut
from chatapp.extensions import db
from chatapp.models import AuditEntry, LoginSession, now
from chatapp.storage import Transaction, write
from chatapp.telemetry import logs
from tests.harness.html import attribute
from tests.harness.people import PASSWORD, NewPerson, Person, room_path
from tests.harness.servers import NewServer, Server
from tests.harness.waiting import eventually

ADDRESS = "192.0.2.7"


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a logger that an earlier test has not bound to its output."""
    monkeypatch.setattr(logs, "log", structlog.get_logger())


Row = tuple[str, str | None, str, str | None, int]


def list_rows() -> list[Row]:
    db.session.rollback()
    columns = (AuditEntry.kind, AuditEntry.actor, AuditEntry.target, AuditEntry.address, AuditEntry.count)
    return [(a, b, c, d, e) for a, b, c, d, e in db.session.execute(select(*columns).order_by(AuditEntry.id))]


@pytest.mark.usefixtures("app")
def test_an_event_is_a_row_of_its_transaction_and_a_line_of_the_log() -> None:
    actor = Actor(create_owner("ana", "Ana", "correct horse battery"), address=ADDRESS)
    before = len(list_rows())

    def refuse(transaction: Transaction) -> None:
        record(transaction, AuditKind.TOKEN_CREATED, actor, target="nightly report")
        raise Conflict("refused")

    def change(transaction: Transaction) -> None:
        record(transaction, AuditKind.USER_BANNED, actor, target=format_person(transaction.session, actor.user_id))
        record(transaction, AuditKind.WEBHOOK_CREATED, None, target="x" * 1_000, conversation="room_2")

    with capture_logs() as lines:
        with pytest.raises(Conflict):
            write(refuse)
        write(change)
    assert list_rows()[before:] == [
        ("user.banned", "ana", "@ana", ADDRESS, 1),
        ("webhook.created", None, "x" * 200, None, 1),
    ]
    audited = [line for line in lines if line["event"] == "audit"]
    assert [line["kind"] for line in audited] == ["user.banned", "webhook.created"]
    assert (audited[0]["actor"], audited[0]["target"], audited[0]["address"]) == ("ana", "@ana", ADDRESS)


@pytest.mark.usefixtures("app")
def test_equal_failures_of_a_sign_in_share_an_entry_for_an_hour() -> None:
    create_owner("ana", "Ana", "correct horse battery")
    before = len(list_rows())
    with capture_logs() as lines:
        for username in ("ana", " ANA ", "my password", "another", "ana"):
            record_failed_sign_in(username, ADDRESS)
        record_failed_sign_in("ana", None)
        for address in ("2001:db8::1", "2001:db8::2"):
            record_failed_sign_in("ana", address)
    assert list_rows()[before:] == [
        ("sign_in.failed", None, "@ana", ADDRESS, 3),
        # What was entered is not stored: it may be a password.
        ("sign_in.failed", None, "unknown username", ADDRESS, 2),
        ("sign_in.failed", None, "@ana", None, 1),
        ("sign_in.failed", None, "@ana", "2001:db8::/64", 2),
    ]
    assert "my password" not in str(lines)
    an_hour_ago = now() - FAILURES_WINDOW
    write(lambda transaction: transaction.session.execute(update(AuditEntry).values(recorded_at=an_hour_ago)))
    record_failed_sign_in("ana", ADDRESS)
    assert list_rows()[-1] == ("sign_in.failed", None, "@ana", ADDRESS, 1)


@pytest.mark.usefixtures("app")
def test_a_flood_of_failed_sign_ins_is_counted_in_a_bounded_number_of_entries() -> None:
    create_owner("ana", "Ana", "correct horse battery")
    before = len(list_rows())
    with capture_logs() as lines:
        for number in range(MAX_FAILURES_PER_WINDOW + 30):
            record_failed_sign_in("ana", f"198.51.100.{number}")
    rows = list_rows()[before:]
    assert len(rows) == MAX_FAILURES_PER_WINDOW + 1
    assert rows[-1] == ("sign_in.failed", None, "others", None, 30)
    assert len([line for line in lines if line["event"] == "audit"]) < MAX_FAILURES_PER_WINDOW + 10
    db.session.rollback()
    assert db.session.scalar(select(func.sum(AuditEntry.count)).where(AuditEntry.kind == "sign_in.failed")) == (
        MAX_FAILURES_PER_WINDOW + 30
    )


def audit(admin: Person, **conditions: str) -> list[dict[str, Any]]:
    """Export the entries that match, and return them, oldest first."""
    response = admin.get("/admin/audit-log.jsonl", params=conditions)
    assert response.ok, response.text
    return [json.loads(line) for line in response.text.splitlines()][::-1]


def test_changes_of_accounts_rooms_webhooks_and_tokens_are_recorded(any_server: Server, new_person: NewPerson) -> None:
    visitor = Person(any_server, "mallory")
    ana, bob = (new_person(any_server, name) for name in ("ana", "bob"))
    visitor.accept(ana.invitation())
    assert visitor.post("/sign-out").ok
    assert visitor.sign_in("wrong password").status_code == 403
    room = ana.create_room()
    path = room_path(room)
    ana.invite(room, bob)
    ana.create_token(name="=nightly")
    ana.post(f"{path}/webhooks", f"{path}/webhooks", name="deploy", url="https://example.com/secret-path")
    ana.remove(room, bob)
    ana.post("/people/mallory/ban", "/people")
    any_server.flask("users", "unban", "mallory")
    bob.post("/settings/password", "/settings", current_password="my wrong password", new_password="another password")
    bob.post("/settings/password", "/settings", current_password=PASSWORD, new_password="another password")

    entries = [(entry["kind"], entry["actor"], entry["target"], entry["conversation"]) for entry in audit(ana)]
    expected = [
        ("user.created", "mallory", "@mallory by invitation 1", None),
        ("sign_in", "mallory", "", None),
        ("sign_out", "mallory", "", None),
        ("sign_in.failed", None, "@mallory", None),
        ("room.created", "ana", "", room),
        ("member.added", "ana", "@bob", room),
        ("token.created", "ana", "=nightly", None),
        ("webhook.created", "ana", "deploy", room),
        ("member.removed", "ana", "@bob", room),
        ("user.banned", "ana", "@mallory", None),
        ("user.unbanned", None, "@mallory", None),
        ("password.change_failed", None, "@bob", None),
        ("password.changed", "bob", "@bob", None),
    ]
    assert [entry for entry in entries if entry in expected] == expected
    stored = str(any_server.rows("SELECT * FROM audit_log"))
    assert "secret-path" not in stored
    assert "password'" not in stored
    assert {entry["address"] for entry in audit(ana, kind="sign_in")} == {"127.0.0.1"}

    # The log has a line for each, with the same values.
    output = any_server.log()
    assert re.search(r"audit .*actor=ana.*kind=user\.banned.*target=@mallory", output)
    assert PASSWORD not in output

    # The page and the export have the same filters.
    assert {entry["kind"] for entry in audit(ana, person="@Bob")} == {
        "member.added", "member.removed", "password.change_failed", "password.changed"
    }  # fmt: skip
    page = ana.get("/admin/audit-log", params={"person": "bob", "kind": "member.added"}).text
    assert "Member added: @bob" in page
    assert "Member removed:" not in page
    assert audit(ana, since="2000-01-01", until="2000-12-31") == []
    assert audit(ana, kind="token.created", since="0001-01-01", until="9999-12-31") != []
    assert ana.get("/admin/audit-log", params={"since": "yesterday"}).status_code == 400
    assert ana.get("/admin/audit-log", params={"kind": "nothing"}).status_code == 400
    assert ana.get("/admin/audit-log.csv", params={"kind": "nothing"}).status_code == 400
    table = ana.get("/admin/audit-log.csv", params={"kind": "token.created"})
    assert table.headers["Content-Type"].startswith("text/csv")
    # A spreadsheet must not take a name for a formula.
    assert ",'=nightly," in table.text
    assert ana.get("/admin/audit-log", params={"before": "5"}).ok


def test_an_export_ends_when_its_admin_is_signed_out(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    user_id = create_owner("ana", "Ana", PASSWORD)
    create_login_session(user_id)
    actor = Actor(user_id, 1)
    monkeypatch.setattr(queries, "EXPORT_BATCH", 1)
    entries = queries.iterate_entries(actor, AuditFilter())
    assert next(entries).kind == "sign_in"
    revoke_login_session(actor)
    with pytest.raises(SignedOut):
        next(entries)


@pytest.mark.filterwarnings("ignore:Passing SelectField choices:DeprecationWarning")
def test_an_export_holds_no_connection_while_its_client_reads(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    user_id = create_owner("ana", "Ana", PASSWORD)
    token = create_login_session(user_id)
    app.extensions["chatapp.is_set_up"] = True
    monkeypatch.setattr(queries, "EXPORT_BATCH", 1)
    pool = db.engine.pool
    assert isinstance(pool, QueuePool)
    db.session.remove()
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = token
    response = client.get("/admin/audit-log.jsonl")
    pieces = response.iter_encoded()
    assert json.loads(next(pieces))["kind"] == "audit_log.exported"
    assert pool.checkedout() == 0
    write(lambda transaction: transaction.session.execute(delete(LoginSession)))
    with pytest.raises(SignedOut):
        next(pieces)
    response.close()
    assert pool.checkedout() == 0


def test_the_page_of_the_audit_log_has_a_link_to_older_events(server: Server, ana: Person) -> None:
    server.execute(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 150) "
        "INSERT INTO audit_log (recorded_at, kind, target) "
        "SELECT '2026-01-01', 'token.created', 'entry ' || n FROM numbers"
    )
    page = ana.get("/admin/audit-log").text
    assert "entry 150" in page
    assert "entry 51<" in page
    assert "entry 50<" not in page
    older = ana.get(attribute(page, "a[href*='before=']", "href")).text
    assert "entry 50<" in older
    assert "before=" not in older


def test_addresses_are_not_recorded_if_the_operator_disables_it(new_server: NewServer) -> None:
    server = new_server(CHATAPP_AUDIT_LOG_ADDRESSES="false").start()
    ana = Person(server, "ana").set_up()
    assert {entry["address"] for entry in audit(ana)} == {None}


def test_expired_entries_are_deleted_at_start_and_by_the_cleanup_command(
    new_server: NewServer, new_person: NewPerson
) -> None:
    server = new_server(CHATAPP_AUDIT_LOG_DAYS="0").start()
    ana = new_person(server, "ana")

    def add_old() -> None:
        server.execute("INSERT INTO audit_log (recorded_at, kind, target) VALUES ('2020-01-01', 'sign_in', 'old')")

    def has_old() -> bool:
        return bool(server.rows("SELECT 1 FROM audit_log WHERE target = 'old'"))

    ana.create_token()
    add_old()
    server.configure(CHATAPP_AUDIT_LOG_DAYS="30")
    assert "Deleted 1 entries of the audit log" in server.flask("cleanup", "--yes")
    assert not has_old()
    add_old()
    server.terminate()
    server.start(CHATAPP_AUDIT_LOG_DAYS="0")
    assert has_old()
    server.terminate()
    server.start(CHATAPP_AUDIT_LOG_DAYS="30")
    eventually(lambda: not has_old(), "the old entry is deleted")
    assert [entry["kind"] for entry in audit(ana, kind="token.created")] == ["token.created"]
