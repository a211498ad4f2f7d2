"""Writes of session templates. Each function authorizes within the transaction that it writes in."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatapp.actors import Actor, is_admin, require_active_login, require_admin
from chatapp.assistants.tags import clean_category, join_tags
from chatapp.assistants.templates.policy import authorize_template_editing
from chatapp.audit_log import AuditKind, record
from chatapp.config.assistants import find_assistant
from chatapp.errors import Conflict, Invalid
from chatapp.models import SessionTemplate, now
from chatapp.storage import Transaction, write
from chatapp.text import clean_line
from chatapp.timeline.content import check_content

MAX_TEMPLATES = 50
"""Maximum number of templates of one person, and of templates for everyone."""

MAX_NAME_CHARS = 80

MAX_PROMPT_CHARS = 8_000

MAX_FIRST_MESSAGES = 20

MAX_FIRST_MESSAGES_CHARS = 40_000
"""Maximum length of all first messages of a template together."""

ROLES = ("user", "assistant")


class TemplateFields(TypedDict, total=False):
    """The fields of a template, not validated. A change has those that it changes."""

    name: str
    assistant: str | None
    """The name of an assistant; None or empty if the user chooses it."""
    prompt: str
    messages: Sequence[Mapping[str, object]]
    """The first messages, each with `role` and `content`."""
    category: str
    tags: Sequence[str]


def create_template(actor: Actor, fields: TemplateFields, *, is_shared: bool) -> int:
    """Create a template of the actor, or for everyone, and return its id.

    Raises what `check_content` raises, and `Invalid`, `SignedOut`, `Forbidden`, and `Conflict` if there are too many.
    """
    columns = _check_fields({"name": "", **fields})

    def change(transaction: Transaction) -> int:
        session = transaction.session
        if is_shared:
            require_admin(session, actor)
        else:
            require_active_login(session, actor)
        owner_id = None if is_shared else actor.user_id
        if _count_templates(session, owner_id) >= MAX_TEMPLATES:
            raise Conflict(f"There can be at most {MAX_TEMPLATES} templates. Delete one that is no longer used.")
        template = SessionTemplate(owner_id=owner_id, **columns)
        session.add(template)
        session.flush()
        _record(transaction, AuditKind.TEMPLATE_CREATED, actor, template)
        return template.id

    return write(change)


def change_template(actor: Actor, template_id: int, fields: TemplateFields) -> None:
    """Change the given fields of a template. Running sessions keep the prompt that they began with.

    Raises what `check_content` raises, and `Invalid`, `NotFound`, `SignedOut`, `Forbidden`.
    """
    columns = _check_fields(fields)

    def change(transaction: Transaction) -> None:
        template = _get_editable(transaction.session, actor, template_id)
        for column, value in columns.items():
            setattr(template, column, value)
        template.updated_at = now()
        _record(transaction, AuditKind.TEMPLATE_CHANGED, actor, template)

    write(change)


def delete_template(actor: Actor, template_id: int) -> None:
    """Delete a template. Sessions that began with it stay as they are. Raises `NotFound`, `SignedOut`, `Forbidden`."""

    def change(transaction: Transaction) -> None:
        template = _get_editable(transaction.session, actor, template_id)
        transaction.session.delete(template)
        _record(transaction, AuditKind.TEMPLATE_DELETED, actor, template)

    write(change)


def _check_fields(fields: TemplateFields) -> dict[str, Any]:
    """Return the columns for fields. Raises what `check_content` raises, and `Invalid`."""
    columns: dict[str, Any] = {}
    if "name" in fields:
        columns["name"] = clean_line(fields["name"], "The name of a template", max_chars=MAX_NAME_CHARS)
    if "assistant" in fields:
        columns["assistant"] = _check_assistant(fields["assistant"])
    if "prompt" in fields:
        prompt = fields["prompt"]
        columns["prompt"] = check_content(prompt, MAX_PROMPT_CHARS, "The prompt") if prompt.strip() else ""
    if "messages" in fields:
        columns["messages"] = _check_messages(fields["messages"])
    if "category" in fields:
        columns["category"] = clean_category(fields["category"])
    if "tags" in fields:
        columns["tags"] = join_tags(fields["tags"])
    return columns


def _check_assistant(name: str | None) -> str | None:
    if name is None or not name.strip():
        return None
    assistant = find_assistant(name)
    if assistant is None:
        raise Invalid("There is no such assistant.")
    return assistant.key


def _check_messages(messages: Sequence[Mapping[str, object]]) -> list[dict[str, str]]:
    if len(messages) > MAX_FIRST_MESSAGES:
        raise Invalid(f"A template has at most {MAX_FIRST_MESSAGES} first messages.")
    checked: list[dict[str, str]] = []
    for message in messages:
        role = message["role"]
        if role not in ROLES:
            raise Invalid("The role of a first message must be “user” or “assistant”.")
        checked.append({"role": str(role), "content": check_content(message["content"])})
    if sum(len(message["content"]) for message in checked) > MAX_FIRST_MESSAGES_CHARS:
        raise Invalid(f"The first messages have at most {MAX_FIRST_MESSAGES_CHARS:,} characters together.")
    return checked


def _count_templates(session: Session, owner_id: int | None) -> int:
    is_of_owner = SessionTemplate.owner_id.is_(None) if owner_id is None else SessionTemplate.owner_id == owner_id
    return session.scalars(select(func.count()).select_from(SessionTemplate).where(is_of_owner)).one()


def _get_editable(session: Session, actor: Actor, template_id: int) -> SessionTemplate:
    require_active_login(session, actor)
    template = session.get(SessionTemplate, template_id)
    return authorize_template_editing(template, actor.user_id, is_admin=is_admin(session, actor))


def _record(transaction: Transaction, kind: AuditKind, actor: Actor, template: SessionTemplate) -> None:
    # A person's own templates concern nobody else.
    if template.owner_id is None:
        record(transaction, kind, actor, target=template.name)
