"""A small installation, for tests that compare all of it."""

from tests.harness.people import NewPerson, Person
from tests.harness.servers import Server


def fill(server: Server, new_person: NewPerson) -> tuple[Person, Person, str]:
    """Create ana and bob, a room with both, and an archive of three messages of the general chat. Return all three."""
    ana, bob = new_person(server, "ana"), new_person(server, "bob")
    room = ana.create_room("Tea")
    ana.invite(room, bob)
    socket = bob.connect()
    for number in range(3):
        socket.post(f"archived {number}")
    server.flask("cleanup", "--all", "--yes")
    return ana, bob, room
