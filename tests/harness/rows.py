"""Create accounts and messages fast: as rows of the database of a server, without its forms."""

from argon2 import PasswordHasher
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from sqlalchemy import Row, insert, select
from sqlalchemy.orm import Session

from chatapp.models import Base, Conversation, Installation, LoginSession, Membership, Message, User
from chatapp.models.conversations import GENERAL_ID
from chatapp.tokens import hash_token, new_token
from chatapp.web.security import HOST_PREFIX, SESSION_COOKIE
from tests.harness.people import PASSWORD, Person
from tests.harness.servers import Server

CHEAP_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""With the default parameters, a hash takes 0.16 s of processor time."""

PASSWORD_HASH = CHEAP_HASHER.hash(PASSWORD)
"""A hash that is cheap to verify: its parameters are part of it."""


def add_people(server: Server, *usernames: str) -> list[Person]:
    """Create people with an account and a login session on a running server. The first account is the owner's."""
    people = [Person(server, username) for username in usernames]
    tokens = {username: new_token() for username in usernames}
    engine = server.engine()
    with Session(engine) as session, session.begin():
        users = [User(username=name, name=name.title(), password_hash=PASSWORD_HASH) for name in usernames]
        session.add_all(users)
        session.flush()
        installation = session.get_one(Installation, 1)
        if installation.owner_id is None:
            users[0].role = "admin"
            installation.owner_id = users[0].id
        last_event = session.get_one(Conversation, GENERAL_ID).last_event
        session.add_all(
            Membership(conversation_id=GENERAL_ID, user_id=user.id, last_read_seq=last_event) for user in users
        )
        session.add_all(LoginSession(user_id=user.id, token_hash=hash_token(tokens[user.username])) for user in users)
    is_secure = server.environment.get("CHATAPP_SECURE_COOKIES") == "true"
    name = f"{HOST_PREFIX}{SESSION_COOKIE}" if is_secure else SESSION_COOKIE
    for person in people:
        person.http.cookies.set(name, sign_cookie(server, tokens[person.username]), domain="127.0.0.1", path="/")
    return people


def read_all_rows(server: Server) -> dict[str, list[Row[tuple[object, ...]]]]:
    """Return every row of the database, without the epoch and what servers note of the search index."""
    left_out = {"epoch", "indexed_event", "indexed_tokenizer"}
    with Session(server.engine()) as session:
        return {
            table.name: list(
                session.execute(
                    select(*(each for each in table.columns if each.name not in left_out)).order_by(*table.primary_key)
                ).all()
            )
            for table in Base.metadata.sorted_tables
        }


def sign_cookie(server: Server, token: str) -> str:
    """Return the value of the cookie that carries the token of a login session."""
    app = Flask("chatapp")
    app.secret_key = server.secret_key()
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    return serializer.dumps({"_user_id": token, "_fresh": True, "_permanent": True})


def fill_general(server: Server, count: int) -> None:
    """Create messages in the general chat, and restart the server without its cleanup."""
    server.kill()
    engine = server.engine()
    with Session(engine) as session, session.begin():
        # Not objects: there may be many thousands.
        session.execute(
            insert(Message),
            [
                {
                    "conversation_id": GENERAL_ID,
                    "seq": number,
                    "version": number,
                    "sender_id": 1,
                    "content": f"message {number}",
                    "client_id": f"00000000-0000-4000-8000-{number:012}",
                }
                for number in range(1, count + 1)
            ],
        )
        general = session.get_one(Conversation, GENERAL_ID)
        general.last_event = general.message_count = count
    server.start(CHATAPP_GENERAL_KEEP_LAST="0")
