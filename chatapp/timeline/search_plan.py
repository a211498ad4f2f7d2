"""What the filters of a search mean for one person: the conversations, senders, dates and messages that they select.

The conversations that the person may read are part of the plan, so that nothing else is found or counted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import cast

from sqlalchemy import ColumnElement, Select, Table, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from chatapp.actors import Actor
from chatapp.conversations.kinds import Direct
from chatapp.conversations.queries import ReadableConversation, list_readable
from chatapp.models import Membership, Mention, Message, Pin, Reaction, SavedMessage, Thread, User, now
from chatapp.search.expressions import Expression, has_phrase
from chatapp.search.index import BARRIER, Has, Scope, is_complete, list_date_tokens, scope_token, sender_name_token
from chatapp.search.query import Filter, Phrase, Query, Term
from chatapp.search.tokens import TOKENIZER_VERSION
from chatapp.storage import INTEGER, encode_rows, equals_folded, parameter_rows, read_natively
from chatapp.text import fold
from chatapp.timeline.index_search import IndexSearch

MAX_SCOPE_CONVERSATIONS = 500
"""Up to this number of conversations, the index is asked for their tokens: 0.03 ms for each on SQLite."""

SMALL_SHARE = 20
"""A person who can read less than this fraction of all messages is asked for by tokens of conversations."""

MAX_SELECTED = 1_000
"""Up to this number of messages that a filter selects, each is looked up in the index: 0.1 ms."""

_MESSAGES = cast(Table, Message.__table__)
_ID = _MESSAGES.c.id
_CONVERSATION_IDS = parameter_rows("conversations", id=INTEGER)

_UNREAD = Filter("is", "unread")


def plan_search(
    session: Session,
    actor: Actor,
    query: Query,
    includes: Callable[[ReadableConversation], bool] = lambda _conversation: True,
) -> IndexSearch | None:
    """Return what a query means for a person; None if it finds nothing."""
    if query.is_empty():
        return None
    readable = [each for each in list_readable(session, actor.user_id) if includes(each)]
    conversations = _choose_conversations(session, actor, query, readable)
    if _UNREAD in query.filters:
        conversations = _without_read(session, actor.user_id, conversations)
    senders = _find_senders(session, actor, query.list_values("from"))
    if not conversations or senders == []:
        return None
    scopes: list[Sequence[str]] = [senders] if senders else []
    total = session.execute(select(func.coalesce(func.max(_ID), 0))).scalar_one()
    reach = sum(each.message_count for each in conversations)
    is_scoped = len(conversations) <= MAX_SCOPE_CONVERSATIONS and reach * SMALL_SHARE <= total
    if is_scoped or (query.list_values("in") and len(conversations) <= MAX_SCOPE_CONVERSATIONS):
        scopes.append([scope_token(Scope.CONVERSATION, each.id) for each in conversations])
    conditions = _limit_dates(query, scopes)
    excluded = list(query.excluded)
    if not_from := query.list_values("from", is_excluded=True):
        excluded += [_as_term(token) for token in _find_senders(session, actor, not_from) or ()]
    for each in query.filters:
        token = _CONTENT_TOKENS.get((each.name, each.value))
        if token is not None and each.is_excluded:
            excluded.append(_as_term(token))
        elif token is not None:
            scopes.append([token])
    selected, selections = _select_by_filters(session, actor, query)
    return IndexSearch(
        Expression(query.terms, scopes, excluded, uses_pairs=_uses_pairs(session, query, conversations)),
        {each.id: each for each in conversations},
        [*conditions, *selections],
        is_scoped,
        selected,
        is_newest_first=bool(selections) and selected is None and reach * SMALL_SHARE > total,
    )


def _select_by_filters(
    session: Session, actor: Actor, query: Query
) -> tuple[set[int] | None, list[ColumnElement[bool]]]:
    """Return the messages that filters select if they are few, and conditions for other filters."""
    selected: set[int] | None = None
    conditions: list[ColumnElement[bool]] = []
    for each in query.filters:
        if (selection := _SELECTIONS.get((each.name, each.value))) is None:
            continue
        chosen = selection(actor.user_id)
        few = None if each.is_excluded else _list_few(session, chosen)
        if few is not None:
            selected = few if selected is None else selected & few
        else:
            is_chosen = chosen.where(chosen.selected_columns[0] == _ID).correlate(_MESSAGES).exists()
            conditions.append(~is_chosen if each.is_excluded else is_chosen)
    return selected, conditions


def _list_few(session: Session, selection: Select[int]) -> set[int] | None:
    """Return the ids that are selected; None if they are many."""
    rows = session.scalars(selection.limit(MAX_SELECTED + 1)).all()
    return set(rows) if len(rows) <= MAX_SELECTED else None


def _without_read(
    session: Session, user_id: int, conversations: Iterable[ReadableConversation]
) -> list[ReadableConversation]:
    """Return those of the conversations that may have unread messages."""
    query = select(Membership.conversation_id, Membership.last_read_seq).where(Membership.user_id == user_id)
    read = {row.conversation_id: row.last_read_seq for row in session.execute(query)}
    return [each for each in conversations if each.last_event > read.get(each.id, each.last_event)]


def _limit_dates(query: Query, scopes: list[Sequence[str]]) -> list[ColumnElement[bool]]:
    """Return the conditions for the dates of a query, and add their tokens to the scopes."""
    if query.begins_at is None and query.ends_at is None:
        return []
    # Messages have the tokens of their days in UTC.
    first = query.begins_at.date() if query.begins_at else date.min
    last = query.ends_at.date() if query.ends_at else now().date() + timedelta(days=1)
    scopes.append(list_date_tokens(first, last) or [BARRIER])
    conditions = []
    if query.begins_at is not None:
        conditions.append(_MESSAGES.c.created_at >= query.begins_at)
    if query.ends_at is not None:
        conditions.append(_MESSAGES.c.created_at < query.ends_at)
    return conditions


def _uses_pairs(session: Session, query: Query, conversations: Sequence[ReadableConversation]) -> bool:
    """Return whether the index has the pairs of all messages of conversations, if the query has phrases.

    It lacks them while it is filled again, and for what a process with a former tokenizer has written.
    """
    return (
        any(map(has_phrase, query.terms))
        and is_complete(session.connection())
        and all(
            (each.indexed_event, each.indexed_tokenizer) == (each.last_event, TOKENIZER_VERSION)
            for each in conversations
            if each.last_event
        )
    )


def _as_term(token: str) -> Term:
    return (Phrase((token,)),)


def _choose_conversations(
    session: Session, actor: Actor, query: Query, readable: Sequence[ReadableConversation]
) -> list[ReadableConversation]:
    """Return those of the conversations that the filters `in:` and `with:` select."""
    places, people = query.list_values("in"), query.list_values("with")
    not_places, not_people = (query.list_values(name, is_excluded=True) for name in ("in", "with"))
    if not (places or people or not_places or not_people):
        return list(readable)
    members = _list_direct_members(session, readable)

    def is_named(conversation: ReadableConversation, value: str) -> bool:
        # A direct conversation has no name.
        name = _clean_name(value)
        is_name = bool(name) and name in {conversation.ref.wire_name, _clean_name(conversation.name)}
        return is_name or is_with(conversation, value)

    def is_with(conversation: ReadableConversation, value: str) -> bool:
        name = fold(value.removeprefix("@"))
        return any(name in names for user_id, names in members.get(conversation.id, ()) if user_id != actor.user_id)

    return [
        each
        for each in readable
        if (not places or any(is_named(each, value) for value in places))
        and all(is_with(each, value) for value in people)
        and not any(is_named(each, value) for value in not_places)
        and not any(is_with(each, value) for value in not_people)
    ]


def _clean_name(name: str) -> str:
    return "-".join(fold(name.removeprefix("#")).split())


def _list_direct_members(
    session: Session, conversations: Sequence[ReadableConversation]
) -> dict[int, list[tuple[int, set[str]]]]:
    """Return the people of direct conversations, each with the names that they are found by."""
    ids = [each.id for each in conversations if each.kind == Direct.name]
    members: dict[int, list[tuple[int, set[str]]]] = {}
    rows = session.execute(
        select(Membership.conversation_id, User.id, User.username, User.name)
        .join(User, User.id == Membership.user_id)
        .where(Membership.conversation_id.in_(select(_CONVERSATION_IDS.c.id))),
        {"conversations": encode_rows((each,) for each in ids)},
    )
    for conversation_id, user_id, username, name in rows:
        members.setdefault(conversation_id, []).append((user_id, {fold(username), fold(name)}))
    return members


def _find_senders(session: Session, actor: Actor, names: Sequence[str]) -> list[str] | None:
    """Return the tokens of senders with these names; None if there are no names."""
    if not names:
        return None
    cleaned = [name.removeprefix("@") for name in names if "\0" not in name]
    tokens = [sender_name_token(name) for name in cleaned]
    folded = {fold(name) for name in cleaned}
    if "me" in folded:
        tokens.append(scope_token(Scope.SENDER, actor.user_id))
    # SQLite calls a function for each name: on a native thread.
    query = select(User.id).where(or_(User.username.in_(folded), equals_folded(User.name, folded)))
    found = read_natively(session, lambda reading: reading.scalars(query).all(), is_search=True)
    return [*tokens, *(scope_token(Scope.SENDER, user_id) for user_id in found)]


_CONTENT_TOKENS: Mapping[tuple[str, str], str] = {
    ("has", "link"): scope_token(Scope.CONTENT, Has.LINK),
    ("has", "file"): scope_token(Scope.CONTENT, Has.FILE),
    ("has", "code"): scope_token(Scope.CONTENT, Has.CODE),
    ("is", "thread"): scope_token(Scope.CONTENT, Has.THREAD),
}


def _select_saved(user_id: int) -> Select[int]:
    message, saved = aliased(Message), SavedMessage
    is_same = and_(saved.conversation_id == message.conversation_id, saved.seq == message.seq)
    return select(message.id).join(saved, is_same).where(saved.user_id == user_id)


def _select_unread(user_id: int) -> Select[int]:
    message, member = aliased(Message), Membership
    is_new = and_(member.conversation_id == message.conversation_id, message.seq > member.last_read_seq)
    is_of_others = or_(message.sender_id.is_(None), message.sender_id != user_id)
    return select(message.id).join(member, is_new).where(member.user_id == user_id, message.is_in_room, is_of_others)


def _select_roots(_user_id: int) -> Select[int]:
    message = aliased(Message)
    is_root = and_(Thread.conversation_id == message.conversation_id, Thread.root_seq == message.seq)
    return select(message.id).join(Thread, is_root).where(Thread.reply_count > 0)


_SELECTIONS: Mapping[tuple[str, str], Callable[[int], Select[int]]] = {
    ("has", "reaction"): lambda _user_id: select(Reaction.message_id),
    ("has", "pin"): lambda _user_id: select(Pin.message_id),
    ("has", "thread"): _select_roots,
    ("is", "saved"): _select_saved,
    ("is", "unread"): _select_unread,
    ("is", "mention"): lambda user_id: select(Mention.message_id).where(Mention.user_id == user_id),
}
"""The ids of messages that filters select, from their own tables."""
