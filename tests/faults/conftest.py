"""Fixtures of several modules."""

from collections.abc import Iterator

import pytest

from tests.harness.people import Person
from tests.harness.redis import Redis
from tests.harness.rows import add_people
from tests.harness.servers import Server


@pytest.fixture(scope="module")
def people(server: Server) -> Iterator[tuple[Person, Person]]:
    """Ana and bob, connected to the general chat of a server that all tests of a module share."""
    ana, bob = add_people(server, "ana", "bob")
    for person in (ana, bob):
        person.connect().join()
    yield ana, bob
    for person in (ana, bob):
        person.close()


@pytest.fixture(scope="module")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis that all tests of a module share."""
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield redis
    redis.close()
