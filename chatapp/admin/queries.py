"""Queries for admins: all webhooks, share links and tokens, without their secrets, and rooms that nobody can open."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import Room
from chatapp.credentials import WEBHOOK_MODELS, Webhook
from chatapp.models import ApiToken, Conversation, Installation, Membership, OutgoingWebhook, ShareLink, User

MAX_LISTED = 200
"""Maximum number of webhooks, links and tokens each on a page."""


@dataclass(frozen=True, slots=True)
class WebhookView:
    """A webhook, as admins see it."""

    id: int
    direction: Literal["incoming", "outgoing"]
    name: str
    room: str
    """The name of an open room. That of a private one is only for its members: its wire name."""
    host: str | None
    """The host of an outgoing webhook's URL. Its path and query often contain a secret."""
    creator: str | None
    created_at: datetime
    is_suspended: bool


@dataclass(frozen=True, slots=True)
class ShareLinkView:
    """A share link, as admins see it."""

    conversation_id: int
    conversation: str
    creator: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TokenView:
    """An API token, as admins see it."""

    token: ApiToken
    owner: str


@dataclass(frozen=True, slots=True)
class AbandonedRoom:
    """A private room without an active member."""

    id: int
    name: str
    created_at: datetime
    message_count: int


def list_webhooks(session: Session, username: str | None) -> list[WebhookView]:
    """List the webhooks that a user created, or all, newest first."""
    views = []
    for model in WEBHOOK_MODELS:
        query = (
            select(model, Conversation, User.username)
            .join(Conversation, Conversation.id == model.conversation_id)
            .outerjoin(User, User.id == model.creator_id)
            .order_by(model.created_at.desc())
            .limit(MAX_LISTED)
        )
        for row, room, creator in session.execute(query.where(User.username == username) if username else query):
            webhook = cast(Webhook, row)  # mypy joins the two models to their base.
            views.append(
                WebhookView(
                    id=webhook.id,
                    direction="outgoing" if isinstance(webhook, OutgoingWebhook) else "incoming",
                    name=webhook.name,
                    room=room.wire_name if room.is_private else room.name,
                    host=urlsplit(webhook.url).hostname if isinstance(webhook, OutgoingWebhook) else None,
                    creator=creator,
                    created_at=webhook.created_at,
                    is_suspended=webhook.suspended_at is not None,
                )
            )
    return sorted(views, key=lambda view: view.created_at, reverse=True)[:MAX_LISTED]


def list_share_links(session: Session, username: str | None) -> list[ShareLinkView]:
    """List the share links that a user created, or all, newest first."""
    query = (
        select(ShareLink, Conversation, User.username)
        .join(Conversation, Conversation.id == ShareLink.conversation_id)
        .outerjoin(User, User.id == ShareLink.creator_id)
        .order_by(ShareLink.created_at.desc())
        .limit(MAX_LISTED)
    )
    rows = session.execute(query.where(User.username == username) if username else query)
    return [
        ShareLinkView(conversation.id, conversation.wire_name, creator, link.created_at)
        for link, conversation, creator in rows
    ]


def list_all_tokens(session: Session, username: str | None) -> list[TokenView]:
    """List the API tokens of a user, or of all, newest first."""
    query = (
        select(ApiToken, User.username)
        .join(User, User.id == ApiToken.user_id)
        .order_by(ApiToken.id.desc())
        .limit(MAX_LISTED)
    )
    rows = session.execute(query.where(User.username == username) if username else query)
    return [TokenView(token, owner) for token, owner in rows]


def get_installation(session: Session) -> Installation:
    """Return the row with the switches of the installation."""
    return session.scalars(select(Installation)).one()


def list_abandoned_rooms(session: Session) -> list[AbandonedRoom]:
    """List the private rooms that have no active member, newest first."""
    columns = (Conversation.id, Conversation.name, Conversation.created_at, Conversation.message_count)
    rows = session.execute(select(*columns).where(_is_abandoned()).order_by(Conversation.id.desc()))
    return [AbandonedRoom(*row) for row in rows]


def find_abandoned_room(session: Session, room_id: int) -> Conversation | None:
    """Return the room with this id if it is private and has no active member."""
    return session.scalars(select(Conversation).where(Conversation.id == room_id, _is_abandoned())).one_or_none()


def _is_abandoned() -> ColumnElement[bool]:
    has_active_member = (
        select(Membership.user_id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.conversation_id == Conversation.id, User.is_active)
        .exists()
    )
    return and_(Room.condition(), Conversation.visibility == "private", ~has_active_member)
