"""Queries for the people of direct conversations."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatapp.conversations.people import Person, name_contains
from chatapp.models import User

MAX_SEARCH_RESULTS = 50


def search_people(session: Session, text: str) -> Sequence[Person]:
    """List the active users whose name or username contains `text`, ignoring case and accents; all if it is empty."""
    query = select(User).where(User.is_active, name_contains(text))
    users = session.scalars(query.order_by(func.lower(User.name), User.id).limit(MAX_SEARCH_RESULTS))
    return [Person.of(user) for user in users]
