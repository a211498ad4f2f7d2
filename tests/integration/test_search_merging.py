"""How the search index of SQLite is merged: it consists of segments, one for each commit at first."""

import uuid

import pytest
from sqlalchemy import text

from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.conversations.refs import GENERAL
from chatapp.extensions import db
from chatapp.timeline import post

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def database_url() -> str:
    return ""


def test_each_write_merges_a_part_of_the_index() -> None:
    create_owner("ana", "Ana", "a good password")
    for number in range(15):
        post(GENERAL, Actor(1), content=f"message {number}", client_id=str(uuid.uuid4()))
    # FTS5 itself would merge at the sixteenth.
    segments = "SELECT count(DISTINCT segid) FROM message_search_idx"
    assert db.session.execute(text(segments)).scalar_one() < 8
