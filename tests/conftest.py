"""Fixtures that all tests share."""

import gc
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from flask import Flask

from chatapp import create_app
from chatapp.config import Settings
from chatapp.extensions import db
from chatapp.passwords import hashes
from chatapp.storage import current_writer
from tests.harness import ROOT
from tests.harness.browser_code import bundle_browser_code
from tests.harness.distribution import distribute
from tests.harness.people import NewPerson, Person
from tests.harness.redis import Redis
from tests.harness.rows import CHEAP_HASHER, add_people
from tests.harness.servers import Launchers, NewServer, Postgres, PostgresTemplate, Server, SqliteTemplate


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the long tests too")
    parser.addini("coverage_floor", "minimum coverage of lines and branches, in percent")
    parser.addoption("--engine", choices=["fast", "stock"], help="socket engine of servers, unless a test chooses it")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--soak"):
        kept = [item for item in items if item.get_closest_marker("soak") is None]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = distribute(items, ROOT, workers)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while the tests are imported: modules are never garbage, and later collections skip them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def common_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the workers of pytest-xdist share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def bundle(common_folder: Path) -> None:
    """The bundle of browser code, which pages load."""
    bundle_browser_code(common_folder)


@pytest.fixture(scope="session")
def launchers(common_folder: Path, bundle: None) -> Iterator[Launchers]:
    launchers = Launchers(common_folder)
    yield launchers
    launchers.close()


@pytest.fixture(scope="session")
def sqlite_template(
    tmp_path_factory: pytest.TempPathFactory, common_folder: Path, launchers: Launchers
) -> SqliteTemplate:
    return SqliteTemplate(tmp_path_factory.mktemp("sqlite"), common_folder, launchers)


@pytest.fixture(scope="session")
def postgres_template(
    tmp_path_factory: pytest.TempPathFactory, common_folder: Path, launchers: Launchers
) -> PostgresTemplate:
    return PostgresTemplate(tmp_path_factory.mktemp("postgres-template"), common_folder, launchers)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, postgres_template: PostgresTemplate) -> Iterator[Postgres]:
    """A PostgreSQL that the tests of a worker share."""
    postgres = postgres_template.new(tmp_path_factory.mktemp("postgres"))
    postgres.start()
    yield postgres
    postgres.close()


@pytest.fixture
def own_postgres(tmp_path: Path, postgres_template: PostgresTemplate) -> Iterator[Postgres]:
    """A PostgreSQL of the test's own, which it may stop."""
    postgres = postgres_template.new(tmp_path)
    postgres.start()
    yield postgres
    postgres.close()


@pytest.fixture
def new_server(
    sqlite_template: SqliteTemplate, launchers: Launchers, pytestconfig: pytest.Config
) -> Iterator[NewServer]:
    """Create servers, each with its own data folder. They are not started."""
    yield from create_servers(sqlite_template, launchers, pytestconfig)


@pytest.fixture(scope="module")
def new_shared_server(
    sqlite_template: SqliteTemplate, launchers: Launchers, pytestconfig: pytest.Config
) -> Iterator[NewServer]:
    """Create servers that all tests of a module use."""
    yield from create_servers(sqlite_template, launchers, pytestconfig)


def create_servers(template: SqliteTemplate, launchers: Launchers, config: pytest.Config) -> Iterator[NewServer]:
    """Yield a function that creates servers; end them afterwards."""
    servers: list[Server] = []
    chosen = config.getoption("--engine")
    engine = {"CHATAPP_SOCKET_ENGINE": chosen} if chosen else {}

    def create(*, database_url: str = "", **settings: str) -> Server:
        server = Server(template.copy(), ROOT, launchers, database_url=database_url, **engine | settings)
        servers.append(server)
        return server

    yield create
    for server in servers:
        server.close()
        shutil.rmtree(server.data_dir, ignore_errors=True)


@pytest.fixture
def server(new_server: NewServer) -> Server:
    """A server on SQLite."""
    return new_server().start()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database: one test runs with SQLite, one with PostgreSQL."""
    if request.param == "sqlite":
        return ""
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.create_database_of(request.node.nodeid)


@pytest.fixture
def any_server(new_server: NewServer, database_url: str) -> Server:
    """A server on each of the two databases."""
    return new_server(database_url=database_url).start()


@pytest.fixture(params=["sqlite", "postgresql", "stock"])
def variant_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of a server on each of the two databases, and of one with the libraries' own socket engine."""
    if request.param == "stock":
        return {"CHATAPP_SOCKET_ENGINE": "stock"}
    if request.param == "sqlite":
        return {}
    postgres: Postgres = request.getfixturevalue("postgres")
    return {"database_url": postgres.create_database_of(request.node.nodeid)}


@pytest.fixture
def server_variant(new_server: NewServer, variant_settings: dict[str, str]) -> Server:
    """A server in each of these variants."""
    return new_server(**variant_settings).start()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    redis = Redis(tmp_path)
    redis.start()
    yield redis
    redis.close()


@pytest.fixture
def two_servers(
    postgres: Postgres, redis: Redis, new_server: NewServer, request: pytest.FixtureRequest
) -> tuple[Server, Server]:
    """Two processes on one database."""
    url = postgres.create_database_of(request.node.nodeid)
    first, second = (
        new_server(database_url=url, REDIS_URL=redis.url, CHATAPP_HEARTBEAT_SECONDS="3", CHATAPP_GENERAL_KEEP_LAST="0")
        for _ in range(2)
    )
    first.start()
    (second.data_dir / "secret_key").write_text((first.data_dir / "secret_key").read_text())
    return first, second.start()


@pytest.fixture
def new_person() -> Iterator[NewPerson]:
    """Create people. The first person of a server is its owner."""
    people: list[Person] = []

    def create(server: Server, username: str) -> Person:
        people.extend(add_people(server, username))
        return people[-1]

    yield create
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
    """Another member of `server`, who is in no room."""
    return new_person(server, "eve")


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords fast in the process of the tests."""
    monkeypatch.setattr(hashes, "_hasher", CHEAP_HASHER)


@pytest.fixture
def app(sqlite_template: SqliteTemplate, database_url: str, cheap_hashes: None) -> Iterator[Flask]:
    """The application in the process of the tests, on each of the two databases."""
    data_dir = sqlite_template.copy()
    app = create_app(Settings(data_dir=data_dir, database_url=database_url, log_level="WARNING"))
    with app.app_context():
        yield app
    with app.app_context():
        current_writer().stop(5)
        db.engine.dispose()
    shutil.rmtree(data_dir)
