"""The time that a read may take."""

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from chatapp.config import EXTENSION as SETTINGS
from chatapp.config import current_settings
from chatapp.errors import TooComplex
from chatapp.extensions import db
from chatapp.storage import read_natively

ENDLESS = text("WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT max(n) FROM numbers")


def read_endlessly(session: Session) -> object:
    return session.execute(ENDLESS).scalar_one()


@pytest.mark.parametrize("database_url", [""], ids=["sqlite"])
def test_a_read_of_sqlite_that_takes_too_long_is_ended_and_the_connection_stays_usable(app: Flask) -> None:
    app.extensions[SETTINGS] = current_settings().model_copy(update={"read_timeout_seconds": 0.1})
    for _ in range(2):
        with pytest.raises(TooComplex):
            read_natively(db.session(), read_endlessly)
        assert read_natively(db.session(), lambda session: session.execute(text("SELECT 1")).scalar_one()) == 1
