"""What all tests start from."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from chatapp import create_app
from chatapp.config import Settings
from tests.harness.people import Person
from tests.harness.redis import Redis
from tests.harness.servers import Postgres, Server, SqliteTemplate


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the long tests too")
    parser.addoption("--engine", choices=["fast", "stock"], help="how servers write to sockets, unless a test says it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--soak"):
        kept = [item for item in items if "soak" not in item.keywords]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplate:
    return SqliteTemplate(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    postgres = Postgres(tmp_path_factory.mktemp("postgres"))
    postgres.start()
    yield postgres
    postgres.close()


NewServer = Callable[..., Server]


@pytest.fixture
def new_server(sqlite_template: SqliteTemplate, pytestconfig: pytest.Config) -> Iterator[NewServer]:
    """Make servers; each has its own data folder and is not started yet."""
    servers: list[Server] = []
    chosen = pytestconfig.getoption("--engine")
    engine = {"CHATAPP_SOCKET_ENGINE": chosen} if chosen else {}

    def make(*, database_url: str = "", **settings: str) -> Server:
        server = Server(sqlite_template.copy(), database_url=database_url, **engine | settings)
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.close()
        shutil.rmtree(server.data_dir, ignore_errors=True)


@pytest.fixture
def server(new_server: NewServer) -> Server:
    """A server that runs on SQLite."""
    return new_server().start()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each of the two databases in turn, migrated and empty."""
    if request.param == "sqlite":
        return ""
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.create_database()


@pytest.fixture
def any_server(new_server: NewServer, database_url: str) -> Server:
    """A server on each of the two databases in turn."""
    return new_server(database_url=database_url).start()


@pytest.fixture(params=["sqlite", "postgresql", "stock"])
def way(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of a server: on each of the two databases in turn, and with sockets in the libraries' own way."""
    if request.param == "stock":
        return {"CHATAPP_SOCKET_ENGINE": "stock"}
    if request.param == "sqlite":
        return {}
    postgres: Postgres = request.getfixturevalue("postgres")
    return {"database_url": postgres.create_database()}


@pytest.fixture
def each_server(new_server: NewServer, way: dict[str, str]) -> Server:
    """A server in each of these ways in turn."""
    return new_server(**way).start()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    redis = Redis(tmp_path)
    redis.start()
    yield redis
    redis.close()


@pytest.fixture
def two(postgres: Postgres, redis: Redis, new_server: NewServer) -> tuple[Server, Server]:
    """Two processes on one database."""
    url = postgres.create_database()
    first, second = (
        new_server(database_url=url, REDIS_URL=redis.url, CHATAPP_HEARTBEAT_SECONDS="3", CHATAPP_GENERAL_KEEP_LAST="0")
        for _ in range(2)
    )
    first.start()
    (second.data_dir / "secret_key").write_text((first.data_dir / "secret_key").read_text())
    return first, second.start()


NewPerson = Callable[..., Person]


@pytest.fixture
def new_person() -> Iterator[NewPerson]:
    """Make people. The first of a server is its owner, the others come by invitation."""
    people: list[Person] = []

    def make(server: Server, username: str) -> Person:
        person = Person(server, username)
        owner = next((other for other in people if other.server is server), None)
        people.append(person)
        return person.accept(owner.invitation()) if owner else person.set_up()

    yield make
    for person in people:
        person.close()


@pytest.fixture
def ana(server: Server, new_person: NewPerson) -> Person:
    """The owner of `server`."""
    return new_person(server, "ana")


@pytest.fixture
def bob(server: Server, ana: Person, new_person: NewPerson) -> Person:
    """A member of `server`."""
    return new_person(server, "bob")


@pytest.fixture
def eve(server: Server, bob: Person, new_person: NewPerson) -> Person:
    """Another member, who is in no room."""
    return new_person(server, "eve")


@pytest.fixture
def app(sqlite_template: SqliteTemplate, database_url: str) -> Iterator[Flask]:
    """The application in the tests' own process, on each of the two databases in turn."""
    data_dir = sqlite_template.copy()
    app = create_app(Settings(data_dir=data_dir, database_url=database_url, log_level="WARNING"))
    with app.app_context():
        yield app
    from chatapp.extensions import db

    with app.app_context():
        db.engine.dispose()
    shutil.rmtree(data_dir)
