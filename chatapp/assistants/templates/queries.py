"""Queries for session templates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, defer

from chatapp.assistants.tags import split_tags
from chatapp.assistants.templates.policy import authorize_template_use
from chatapp.models import SessionTemplate


@dataclass(frozen=True, slots=True)
class TemplateSummary:
    """A session template in a list."""

    id: int
    name: str
    assistant: str | None
    """The key of the assistant; None if the user chooses it."""
    category: str
    tags: Sequence[str]
    owner_id: int | None
    """None for a template for everyone."""

    @property
    def is_shared(self) -> bool:
        """Whether it is a template for everyone."""
        return self.owner_id is None

    @classmethod
    def of(cls, template: SessionTemplate) -> Self:
        """Return the summary of a row."""
        return cls(
            id=template.id,
            name=template.name,
            assistant=template.assistant,
            category=template.category,
            tags=split_tags(template.tags),
            owner_id=template.owner_id,
        )


def list_templates(session: Session, user_id: int) -> Sequence[TemplateSummary]:
    """List the templates that the user may use: their own ones, then those for everyone, each in the order of names."""
    templates = session.scalars(
        select(SessionTemplate)
        .where(or_(SessionTemplate.owner_id == user_id, SessionTemplate.owner_id.is_(None)))
        .order_by(SessionTemplate.owner_id.is_(None), func.lower(SessionTemplate.name), SessionTemplate.id)
        .options(defer(SessionTemplate.prompt), defer(SessionTemplate.messages))
    )
    return [TemplateSummary.of(template) for template in templates]


def get_template(session: Session, template_id: int, user_id: int) -> SessionTemplate:
    """Return a template that the user may use. Raises `NotFound`."""
    return authorize_template_use(session.get(SessionTemplate, template_id), user_id)
