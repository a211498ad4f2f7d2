"""`flask copy-database`: from SQLite to PostgreSQL and back, with every row, and after an interruption."""

import signal
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from chatapp import create_app, sqlite
from chatapp.config import Settings
from chatapp.database_copy import copying, databases
from chatapp.files.attached import AttachedFile
from chatapp.models import (
    ApiToken,
    Attachment,
    Base,
    Block,
    ConversationPreference,
    CustomEmoji,
    Deletion,
    Draft,
    IncomingWebhook,
    Invitation,
    LinkPreview,
    Message,
    OutgoingWebhook,
    Reaction,
    Reminder,
    RetiredKey,
    SavedMessage,
    ScheduledFile,
    ScheduledMessage,
    SessionTemplate,
    ShareLink,
    SignInAttempts,
    User,
    WebhookDelivery,
    now,
)
from chatapp.search import index as search_index
from chatapp.storage import engines
from chatapp.storage.spool import Spool
from tests.harness import examples
from tests.harness.people import NewPerson, Person
from tests.harness.rows import read_all_rows
from tests.harness.servers import NewServer, Postgres, Server
from tests.harness.stored_files import store_content
from tests.harness.waiting import eventually

KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="


def sqlite_url(server: Server) -> str:
    return f"sqlite:///{server.data_dir / 'chatapp.sqlite3'}"


def use(server: Server, url: str) -> Server:
    """Let the server and its commands use another database."""
    return server.configure(DATABASE_URL="" if url.startswith("sqlite") else url)


def fill(server: Server, new_person: NewPerson) -> Person:
    """Create people, and rows in every table."""
    ana, bob, room = examples.fill(server, new_person)
    socket = bob.sockets[0]
    for number in range(3):
        socket.post(f"@ana message {number} 👍 日本")
    socket.post("in the room", room)
    seq = socket.post("with a metadata object")["seq"]
    socket.call("edit_message", {"conversation": "general", "seq": seq, "content": "edited"})
    socket.call("react", {"conversation": "general", "seq": seq, "reaction": "👍", "on": True})
    socket.call("follow_thread", {"conversation": "general", "thread": seq})
    assert ana.connect().call("pin_message", {"conversation": "general", "seq": seq, "on": True})["ok"]
    socket.post("@helper what is tea?")
    is_answered = "SELECT 1 FROM messages WHERE state = 'complete'"
    eventually(lambda: server.rows(is_answered), "the assistant has answered")
    with Session(server.engine()) as session, session.begin():
        message = session.scalars(select(Message).where(Message.seq == seq)).one()
        message.extra = {"number": 1.0, "text": "ä", "list": [None, True]}
        hook = OutgoingWebhook(
            conversation_id=2,
            name="deploy",
            command="deploy",
            url="http://127.0.0.1:1/",
            secret="whsec",
            creator_id=1,
        )
        session.get_one(User, 1).avatar_digest = store_content(server, b"a picture")
        session.add_all(
            [
                ApiToken(user_id=1, token_hash="hash", name="program", scopes="read", expires_at=now()),
                Block(blocker_id=1, blocked_id=2),
                # It is not purged for a day.
                Deletion(
                    message_id=message.id, user_id=1, deleted_at=now() + timedelta(days=1), removed={"content": "ä"}
                ),
                ConversationPreference(user_id=1, conversation_id=2, notification_level="all", is_muted=True),
                IncomingWebhook(conversation_id=2, name="Builder", token_hash="hash", creator_id=1),
                Invitation(token="invitation", creator_id=1),
                SessionTemplate(owner_id=1, name="Template", messages=[{"role": "user", "content": "Hello"}]),
                ShareLink(conversation_id=1, token="open sesame", creator_id=1),
                SignInAttempts(key="0" * 64, count=2, last_at=now()),
                hook,
            ]
        )
        session.flush()
        due_at = now() + timedelta(days=1)
        scheduled = ScheduledMessage(
            user_id=1, conversation_id=1, client_id="1", content="x", is_in_room=True, due_at=due_at
        )
        notes = AttachedFile(
            digest=store_content(server, b"notes"), name="notes.txt", media_type="text/plain", kind="text", size=5
        )
        session.add_all(
            [
                Attachment(message_id=message.id, position=0, conversation_id=1, user_id=1, **notes.to_fields()),
                LinkPreview(
                    message_id=message.id,
                    position=0,
                    conversation_id=1,
                    url="https://example.com/",
                    title="Example",
                    description="",
                    site="",
                ),
                CustomEmoji(
                    name="blobcat",
                    digest=store_content(server, b"image", small=b"small", large=b"large"),
                    media_type="image/png",
                    width=1,
                    height=1,
                    created_by=1,
                ),
                WebhookDelivery(webhook_id=hook.id, message_id=message.id, due_at=due_at),
                scheduled,
                SavedMessage(user_id=1, conversation_id=1, seq=seq),
                Draft(user_id=1, conversation_id=1, thread_root=0, content="x", version=1),
                Reminder(user_id=1, client_id="1", content="x", conversation_id=1, seq=seq, due_at=due_at),
            ]
        )
        session.flush()
        session.add(ScheduledFile(scheduled_id=scheduled.id, position=0, **notes.to_fields()))
    return bob


def test_an_installation_moves_to_postgresql_and_back_with_every_row(
    new_server: NewServer, new_person: NewPerson, postgres: Postgres
) -> None:
    server = new_server(CHATAPP_GENERAL_KEEP_LAST="0").start()
    bob = fill(server, new_person)
    socket = bob.connect()
    joined = socket.join()
    cursor, epoch = joined["to"], joined["epoch"]
    client_id = "00000000-0000-4000-8000-000000000001"
    missed = socket.send("missed", client_id=client_id)["message"]
    assert "A server uses the data folder" in server.flask(
        "copy-database", sqlite_url(server), postgres.create_database(), expect=1
    )
    server.terminate()
    server.configure(CHATAPP_DATABASE_KEY=KEY).flask("encrypt-database")
    expected, archived = read_all_rows(server), server.flask("archive", "show", "general")
    assert {name for name, rows in expected.items() if not rows} == set(), "a table has no row to compare"

    on_sqlite, on_postgres = sqlite_url(server), postgres.create_database()
    assert "Can be copied" in server.flask("copy-database", on_sqlite, on_postgres, "--dry-run")
    printed = server.flask("copy-database", on_sqlite, on_postgres)
    assert f"Copied and compared {sum(map(len, expected.values())):,} rows of {len(expected)} tables." in printed
    assert "TO has rows in " in server.flask("copy-database", on_sqlite, on_postgres, expect=1)
    use(server, on_postgres)
    assert read_all_rows(server) == expected
    assert server.webhook_secrets() == ["whsec"]
    assert server.share_tokens() == ["open sesame"]
    assert server.flask("archive", "show", "general") == archived
    assert server.flask("check") == "The database is consistent.\n"

    # A page that was open continues with its cursor, and sends again what it has not seen acknowledged.
    server.start()
    socket = bob.connect()
    caught_up = socket.join(after=cursor, epoch=epoch)
    assert not caught_up.get("reset")
    assert [message["content"] for message in caught_up["messages"]] == ["missed"]
    assert socket.send("missed", client_id=client_id)["message"]["id"] == missed["id"]
    assert socket.post("on the copy")["id"] > missed["id"]
    server.terminate()

    expected = read_all_rows(server)
    back = server.data_dir / "back.sqlite3"
    assert "TO has rows in " in server.flask("copy-database", on_postgres, on_sqlite, expect=1)
    server.flask("copy-database", on_postgres, f"sqlite:///{back}")
    assert not sqlite.is_plain(back)
    back.replace(server.data_dir / "chatapp.sqlite3")
    use(server, on_sqlite)
    assert read_all_rows(server) == expected
    assert server.rows("SELECT epoch FROM installation") == [(epoch,)]
    assert server.flask("check") == "The database is consistent.\n"


def test_every_table_of_the_database_is_copied(new_server: NewServer) -> None:
    names = {str(name) for (name,) in new_server().rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    # The search index is created from the messages.
    tables = {name for name in names if not name.startswith(search_index.TABLE)}
    assert tables < names
    assert tables == {table.name for table in databases.TABLES} | {"alembic_version", "sqlite_sequence"}


def add_messages(server: Server, count: int) -> None:
    """Create a user and messages in the general chat, without a server."""
    server.execute(
        "INSERT INTO users (id, username, name, password_hash, role, created_at)"
        " VALUES (1, 'ana', 'Ana', '', 'admin', '2026-01-01 00:00:00')"
    )
    server.execute(
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) INSERT INTO messages"
        " (conversation_id, seq, version, sender_id, sender_type, message_type, content, created_at)"
        " SELECT 1, i, i, 1, 'user', 'text', 'message ' || i, '2026-01-01 00:00:00.000000' FROM n"
    )
    server.execute(f"UPDATE conversations SET last_event = {count}, message_count = {count}")


def test_a_copy_that_is_killed_continues_and_is_not_served_before_it_is_complete(
    new_server: NewServer, postgres: Postgres
) -> None:
    server, target = new_server(), postgres.create_database()
    add_messages(server, 2_500)
    expected, command = read_all_rows(server), ("copy-database", sqlite_url(server), target)
    server.flask(*command, expect=-signal.SIGKILL, CHATAPP_FAILPOINT="copied-batch:5")
    use(server, target)
    ((copied,),) = server.rows("SELECT count(*) FROM messages")
    assert copied == 1_000

    server.launch()
    eventually(lambda: not server.is_running, "the server does not start")
    assert "the database is an unfinished copy" in server.log()
    other = new_server()
    other.execute("UPDATE installation SET epoch = 'another'")
    assert "an unfinished copy of another installation" in other.flask(
        "copy-database", sqlite_url(other), target, expect=1
    )

    assert "Continuing after" in server.flask(*command)
    assert read_all_rows(server) == expected


def test_a_copy_from_postgresql_continues_after_any_batch(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "BATCH_ROWS", 2)
    urls = databases.parse_url(postgres.create_database()), databases.parse_url(f"sqlite:///{tmp_path}/copy.sqlite3")
    with ExitStack() as stack:
        source, target = (
            stack.enter_context(engines.copying_engine(url, None, is_locking=True).connect()) for url in urls
        )
        for number in (1, 2, 3):
            user = {"id": number, "username": f"u{number}", "name": "U", "password_hash": ""}
            source.execute(insert(User).values(user))
            # More than 32 bits.
            message = {"id": 2**32 + number, "conversation_id": 1, "seq": number, "version": number, "content": "x"}
            source.execute(insert(Message).values(message))
            for user_id in range(1, number + 1):
                for reaction in ("👍", "ä", "Z"):
                    values = {"message_id": message["id"], "user_id": user_id, "reaction": reaction}
                    source.execute(insert(Reaction).values(values))
            key = {"client_id": "äZa-"[number], "sender_id": number, "conversation_id": 1, "seq": number}
            source.execute(insert(RetiredKey).values(key))
        source.commit()
        databases.lock_source(source)
        Base.metadata.create_all(target)
        target.exec_driver_sql(
            "CREATE VIRTUAL TABLE message_search USING fts5(tokens, content='', contentless_delete=1)"
        )
        target.exec_driver_sql("CREATE TABLE message_search_state (position, tokenizer)")
        target.commit()

        batches = 0
        is_complete = False
        while not is_complete:
            progress = copying.prepare(source, target, restart=False)
            try:
                copying.copy_rows(source, target, progress, interrupt)
                is_complete = True
            except InterruptedError:
                target.rollback()
                batches += 1
        assert batches > 10
        assert copying.compare(source, target, lambda _rows: None)
        copying.finish(target)


def interrupt(_rows: int) -> None:
    raise InterruptedError


def test_what_would_lose_messages_or_does_not_fit_is_refused(
    new_server: NewServer, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "END_SECONDS", 0.1)
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_MS", 100)
    server, target = new_server(), postgres.create_database()
    add_messages(server, 3)
    source = sqlite_url(server)

    app = create_app(Settings(data_dir=server.data_dir, log_level="WARNING"))

    def run(*arguments: str) -> Result:
        return app.test_cli_runner().invoke(args=["copy-database", *arguments])

    def refusal(*arguments: str) -> str:
        result = run(*arguments)
        assert result.exit_code == 1, result.output
        return result.output

    assert "is not the URL of a database" in refusal(source, "mysql://chat:secret@host/x")
    assert "secret" not in refusal(source, "mysql://chat:secret@host/x")
    assert "use `flask backup`" in refusal(source, source)
    assert "There is no file" in refusal(f"sqlite:///{tmp_path}/missing.sqlite3", target)
    assert "has no schema" in refusal(postgres.create_database(migrated=False), f"sqlite:///{tmp_path}/new.sqlite3")
    assert "Can be copied" in run(source, target, "--dry-run").output
    with psycopg.connect(target):
        assert "TO is in use: 1 other sessions" in refusal(source, target)
    with closing(server.connect_sqlite()) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "database is locked" in refusal(source, target)

    with closing(server.connect_sqlite()) as other, other:
        other.execute("PRAGMA ignore_check_constraints = ON")
        other.execute("UPDATE users SET role = 'king'")
    assert 'violates check constraint "ck_users_role"' in refusal(source, target)
    server.execute("UPDATE users SET role = 'admin'")

    spool = Spool(server.data_dir / "spool-5000.sqlite3")
    spool.add([("1", 1, {"conversation": "general", "content": "waits"})])
    assert "has messages that wait for the database" in refusal(source, target)
    assert "has messages that wait for the database" in refusal(source, target, "--dry-run")
    spool.reject(1, "for a test")
    spool.close()

    server.execute("UPDATE users SET name = hex(zeroblob(33))")
    server.execute("UPDATE messages SET content = 'a' || char(0) WHERE seq = 1")
    server.execute("UPDATE messages SET content = CAST(x'61ff' AS TEXT) WHERE seq = 2")
    server.execute("UPDATE messages SET created_at = 'today' WHERE seq = 3")
    server.execute("UPDATE conversations SET creator_id = 3000000000")
    printed = refusal(source, target, "--dry-run")
    assert "rows of conversations that refer to missing users" in printed
    assert "repair" in printed
    server.flask("check", "--repair")
    printed = refusal(source, target, "--dry-run")
    for line in (
        "users 1: name has 66 characters, more than 64",
        "messages 1: content has a NUL character",
        "messages 2: content is not valid UTF-8",
        "messages 3: created_at is 'today', not a time",
        "4 of ",
    ):
        assert line in printed
    assert "--dry-run finds all" in refusal(source, target)
