"""Several processes share what protects accounts and people: the count of failed sign-ins, the end of login sessions,
and how much a person has sent.
"""

from collections.abc import Iterator

import pytest
from socketio.exceptions import ConnectionError as ConnectionRefused

from tests.harness.people import PASSWORD, NewPerson, Person
from tests.harness.redis import Redis
from tests.harness.servers import NewServer, Postgres, PostgresTemplate, Server
from tests.harness.site import running_site
from tests.harness.waiting import eventually

pytestmark = pytest.mark.faults

MAX_API_REQUESTS = 20
"""Limit of requests in a minute."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, postgres_template: PostgresTemplate) -> Iterator[Postgres]:
    """A PostgreSQL that a test may stop."""
    postgres = postgres_template.new(tmp_path_factory.mktemp("own-postgres"))
    postgres.start()
    yield postgres
    postgres.close()


@pytest.fixture(scope="module")
def servers(database: Postgres, shared_redis: Redis, new_shared_server: NewServer) -> tuple[Server, Server]:
    """Two processes on one data folder."""
    url = database.create_database()
    settings = {
        "REDIS_URL": shared_redis.url,
        "CHATAPP_SIGN_IN_ATTEMPTS": "3",
        "CHATAPP_HEARTBEAT_SECONDS": "1",
        "CHATAPP_API_REQUESTS_PER_MINUTE": str(MAX_API_REQUESTS),
        "CHATAPP_LINK_PREVIEWS": "true",
        "CHATAPP_LINK_PREVIEW_PRIVATE_NETWORKS": "true",
    }
    first = new_shared_server(database_url=url, **settings).start()
    second = new_shared_server(database_url=url, **settings, CHATAPP_DATA_DIR=str(first.data_dir)).start()
    return first, second


def test_wrong_passwords_on_any_process_delay_the_account(
    servers: tuple[Server, Server], new_person: NewPerson
) -> None:
    new_person(servers[0], "ana")
    for server in (servers[0], servers[1], servers[0]):
        assert Person(server, "ana").sign_in("wrong password").status_code == 403
    assert [Person(server, "ana").sign_in(PASSWORD).status_code for server in servers] == [429, 429]


def test_a_person_who_has_sent_too_many_messages_to_one_process_is_refused_by_the_other(
    servers: tuple[Server, Server], new_person: NewPerson
) -> None:
    dora = new_person(servers[0], "dora")
    token = dora.create_token()

    def send(server: Server) -> int:
        message = {"content": "again"}
        return dora.on_server(server).api(token).post("/conversations/general/messages", json=message).status_code

    first, second = servers
    assert [send(first) for _ in range(MAX_API_REQUESTS + 1)] == [201] * MAX_API_REQUESTS + [429]
    # A process reports what it has counted a moment later.
    eventually(lambda: send(second) == 429, "the other process refuses messages")
    ((count,),) = first.rows(f"SELECT count(*) FROM messages WHERE sender_id = {dora.id}")
    assert MAX_API_REQUESTS <= int(str(count)) < 2 * MAX_API_REQUESTS


def test_the_process_that_stores_a_message_fetches_its_links_alone(
    servers: tuple[Server, Server], new_person: NewPerson
) -> None:
    fay = new_person(servers[0], "fay")
    sockets = [fay.on_server(server).connect() for server in servers]
    for socket in sockets:
        socket.join()
    with running_site() as site:
        # A process that also fetched the link of the other one would request it before its own.
        for number, sender in enumerate(sockets):
            sender.post(site.add(f"/{number}", f"Page {number}"))
            for socket in sockets:
                changed = socket.wait_for("message_changed", count=number + 1)
                assert changed[-1]["previews"][0]["title"] == f"Page {number}"
        assert site.requested == ["/0", "/1"]


def test_a_person_who_signed_out_on_one_process_is_not_admitted_by_another_during_an_outage(
    servers: tuple[Server, Server], database: Postgres, new_person: NewPerson
) -> None:
    first, second = servers
    bob, eve = (new_person(first, name) for name in ("bob", "eve"))
    on_second = [person.on_server(second) for person in (bob, eve)]
    for person in on_second:
        person.connect().join()
        assert person.get("/").ok
    bob_socket = on_second[0].sockets[-1]
    cookies = bob.http.cookies.copy()
    assert bob.post("/sign-out").ok
    bob_socket.wait_for("signed_out")
    bob.http.cookies = cookies
    assert on_second[0].get("/").url.startswith(f"{second.url}/sign-in")
    # Eve is remembered when the revocation has been handled, which the process checks at each of its heartbeats.
    eve_socket = on_second[1].sockets[-1]
    eve_socket.wait_for("heads", count=len(eve_socket.payloads("heads")) + 3)

    database.stop()
    eventually(lambda: second.health().status_code == 503, "the outage is noticed")
    assert on_second[1].get("/").ok
    assert on_second[0].get("/").status_code == 503
    with pytest.raises(ConnectionRefused):
        on_second[0].connect()
    on_second[1].connect().join()
