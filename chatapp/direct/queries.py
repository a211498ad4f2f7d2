"""Queries for the people of direct conversations."""

from collections.abc import Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from chatapp.conversations.people import Person
from chatapp.models import User
from chatapp.storage import contains_folded

MAX_SEARCH_RESULTS = 50


def search_people(session: Session, text: str) -> Sequence[Person]:
    """List the active users whose name or username contains `text`, ignoring case and accents; all if it is empty."""
    wanted = text.strip().removeprefix("@")
    query = select(User).where(
        User.is_active,
        or_(contains_folded(User.name, wanted), User.username.contains(wanted.lower(), autoescape=True)),
    )
    return [
        Person.of(user)
        for user in session.scalars(query.order_by(func.lower(User.name), User.id).limit(MAX_SEARCH_RESULTS))
    ]
