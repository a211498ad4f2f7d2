"""Authorization in each kind of conversation."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from chatapp.actors import Actor
from chatapp.conversations import policy
from chatapp.conversations.kinds import (
    AssistantSession,
    ConversationKind,
    Direct,
    General,
    Room,
    SharedAssistant,
    is_manager,
    kind_of,
)
from chatapp.errors import Archived, ChatError, Forbidden, NotFound
from chatapp.models import Conversation, Membership, Message, now

GENERAL = General.new(id=1, name="General", visibility="open")
OPEN_ROOM = Room.new(id=2, name="Tea", visibility="open")
PRIVATE_ROOM = Room.new(id=3, name="Secret", visibility="private")
ARCHIVED_ROOM = Room.new(id=4, name="Old", visibility="open", ended_at=now())
DIRECT = Direct.new(id=5, direct_key="1:2")
SHARED = SharedAssistant.new(id=6, assistant="helper")
SESSION = AssistantSession.new(id=7, name="", assistant="helper")
ENDED_SESSION = AssistantSession.new(id=8, name="", assistant="helper", ended_at=now())

STRANGER = None
MEMBER = Membership(role="member", is_blocked=False)
MANAGER = Membership(role="manager", is_blocked=False)
BLOCKED = Membership(role="member", is_blocked=True)

OK = None


def outcome(action: Callable[[], object]) -> type[ChatError] | None:
    """Return the type of the error that an action raises; None if it raises none."""
    try:
        action()
    except ChatError as error:
        return type(error)
    return OK


@pytest.mark.parametrize(
    ("conversation", "kind"),
    [
        (GENERAL, General),
        (OPEN_ROOM, Room),
        (PRIVATE_ROOM, Room),
        (DIRECT, Direct),
        (SHARED, SharedAssistant),
        (SESSION, AssistantSession),
    ],
    ids=lambda value: getattr(value, "wire_name", value.__name__ if isinstance(value, type) else None),
)
def test_each_conversation_has_one_kind(conversation: Conversation, kind: type[ConversationKind]) -> None:
    assert kind_of(conversation) is kind
    assert conversation.kind == kind.name


@pytest.mark.parametrize(
    ("conversation", "membership", "viewing", "reading", "posting"),
    [
        (None, STRANGER, NotFound, NotFound, NotFound),
        (GENERAL, STRANGER, OK, OK, OK),
        (GENERAL, MEMBER, OK, OK, OK),
        (OPEN_ROOM, STRANGER, OK, Forbidden, Forbidden),
        (OPEN_ROOM, MEMBER, OK, OK, OK),
        (PRIVATE_ROOM, STRANGER, NotFound, NotFound, NotFound),
        (PRIVATE_ROOM, MEMBER, OK, OK, OK),
        (ARCHIVED_ROOM, STRANGER, OK, Forbidden, Forbidden),
        (ARCHIVED_ROOM, MANAGER, OK, OK, Archived),
        (DIRECT, STRANGER, NotFound, NotFound, NotFound),
        (DIRECT, MEMBER, OK, OK, OK),
        (DIRECT, BLOCKED, OK, OK, Forbidden),
        (SHARED, STRANGER, OK, OK, OK),
        (SESSION, STRANGER, NotFound, NotFound, NotFound),
        (SESSION, MANAGER, OK, OK, OK),
        (ENDED_SESSION, MANAGER, OK, OK, Archived),
    ],
)
def test_viewing_reading_and_posting(
    conversation: Conversation | None,
    membership: Membership | None,
    viewing: type[ChatError] | None,
    reading: type[ChatError] | None,
    posting: type[ChatError] | None,
) -> None:
    assert outcome(lambda: policy.authorize_viewing(conversation, membership)) is viewing
    assert outcome(lambda: policy.authorize_reading(conversation, membership)) is reading
    assert outcome(lambda: policy.authorize_posting(conversation, membership)) is posting
    assert policy.may_post(conversation, membership) is (posting is OK)


def test_the_reason_names_what_has_ended() -> None:
    for conversation, reason in ((ARCHIVED_ROOM, "room is archived"), (ENDED_SESSION, "session has ended")):
        with pytest.raises(Archived, match=reason):
            policy.authorize_posting(conversation, MANAGER)


@pytest.mark.parametrize(
    ("conversation", "membership", "expected"),
    [
        (PRIVATE_ROOM, STRANGER, NotFound),
        (OPEN_ROOM, STRANGER, Forbidden),
        (OPEN_ROOM, MEMBER, Forbidden),
        (OPEN_ROOM, MANAGER, OK),
        (ARCHIVED_ROOM, MANAGER, OK),
        (GENERAL, MEMBER, Forbidden),
    ],
)
def test_managers_manage_a_room(
    conversation: Conversation, membership: Membership | None, expected: type[ChatError] | None
) -> None:
    assert outcome(lambda: policy.authorize_management(conversation, membership)) is expected


@pytest.mark.parametrize(
    ("conversation", "membership", "is_admin", "expected"),
    [
        (SESSION, MANAGER, False, OK),
        (ENDED_SESSION, MANAGER, False, OK),
        (SESSION, STRANGER, False, NotFound),
        (SESSION, STRANGER, True, NotFound),
        (SHARED, STRANGER, False, Forbidden),
        (SHARED, STRANGER, True, OK),
        (OPEN_ROOM, MANAGER, True, NotFound),
        (GENERAL, MEMBER, True, NotFound),
        (DIRECT, MEMBER, True, NotFound),
    ],
)
def test_owners_manage_their_sessions_and_admins_the_shared_conversation(
    conversation: Conversation, membership: Membership | None, is_admin: bool, expected: type[ChatError] | None
) -> None:
    def manage() -> Conversation:
        return policy.authorize_session_management(conversation, membership, is_admin=is_admin)

    assert outcome(manage) is expected


@pytest.mark.parametrize(
    ("conversation", "membership", "expected"),
    [
        (SHARED, STRANGER, OK),
        (SESSION, MANAGER, OK),
        (ENDED_SESSION, MANAGER, OK),
        (SESSION, STRANGER, NotFound),
        (GENERAL, MEMBER, NotFound),
        (OPEN_ROOM, MANAGER, NotFound),
        (OPEN_ROOM, STRANGER, Forbidden),
        (DIRECT, MEMBER, NotFound),
    ],
)
def test_only_conversations_with_assistants_are_exported(
    conversation: Conversation, membership: Membership | None, expected: type[ChatError] | None
) -> None:
    assert outcome(lambda: policy.authorize_export(conversation, membership)) is expected


@pytest.mark.parametrize(
    ("conversation", "membership", "is_admin", "expected"),
    [
        (GENERAL, MEMBER, False, Forbidden),
        (GENERAL, MEMBER, True, OK),
        (OPEN_ROOM, MEMBER, False, Forbidden),
        (OPEN_ROOM, MANAGER, False, OK),
        (OPEN_ROOM, MEMBER, True, OK),
        (DIRECT, MEMBER, False, Forbidden),
        (DIRECT, MEMBER, True, Forbidden),
        (SHARED, STRANGER, False, Forbidden),
        (SHARED, STRANGER, True, OK),
        (SESSION, MANAGER, False, OK),
    ],
)
def test_senders_and_moderators_delete_messages(
    conversation: Conversation, membership: Membership | None, is_admin: bool, expected: type[ChatError] | None
) -> None:
    message = Message(sender_id=1)
    for actor, result in ((Actor(1), OK), (Actor(2), expected)):

        def delete(actor: Actor = actor) -> None:
            policy.authorize_deletion(conversation, message, actor, membership, is_admin=is_admin, limit_seconds=0)

        assert outcome(delete) is result


@pytest.mark.parametrize(("sender_id", "user_id", "expected"), [(1, 1, OK), (1, 2, Forbidden), (None, 2, Forbidden)])
def test_only_the_sender_edits_a_message(sender_id: int | None, user_id: int, expected: type[ChatError] | None) -> None:
    message, actor = Message(sender_id=sender_id), Actor(user_id)
    assert outcome(lambda: policy.authorize_editing(message, actor, limit_seconds=0)) is expected


@pytest.mark.parametrize(
    ("age_seconds", "limit_seconds", "edit", "delete"),
    [(30, 60, OK, OK), (90, 60, Forbidden, Forbidden), (1e9, 0, OK, OK), (-90, 60, OK, OK)],
)
def test_senders_change_messages_within_the_time_limit_only(
    age_seconds: float, limit_seconds: int, edit: type[ChatError] | None, delete: type[ChatError] | None
) -> None:
    message = Message(sender_id=1, created_at=now() - timedelta(seconds=age_seconds))

    def delete_as(membership: Membership) -> None:
        policy.authorize_deletion(OPEN_ROOM, message, Actor(1), membership, is_admin=False, limit_seconds=limit_seconds)

    assert outcome(lambda: policy.authorize_editing(message, Actor(1), limit_seconds=limit_seconds)) is edit
    assert outcome(lambda: delete_as(MEMBER)) is delete
    assert outcome(lambda: delete_as(MANAGER)) is OK


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "1 second"), (90, "90 seconds"), (300, "5 minutes"), (86_400, "1 day"), (7_200, "2 hours")],
)
def test_the_error_names_the_time_limit(seconds: int, text: str) -> None:
    message = Message(sender_id=1, created_at=now() - timedelta(days=2))
    with pytest.raises(Forbidden, match=f"within {text} after"):
        policy.authorize_editing(message, Actor(1), limit_seconds=seconds)


@pytest.mark.parametrize(
    ("user_id", "membership", "is_admin", "expected"),
    [
        (1, STRANGER, False, OK),
        (2, STRANGER, False, Forbidden),
        (2, MEMBER, False, Forbidden),
        (2, MANAGER, False, OK),
        (2, STRANGER, True, OK),
    ],
)
def test_the_asker_managers_and_admins_control_an_answer(
    user_id: int, membership: Membership | None, is_admin: bool, expected: type[ChatError] | None
) -> None:
    def control() -> None:
        policy.authorize_answer_control(Message(asker_id=1), Actor(user_id), membership, is_admin=is_admin)

    assert outcome(control) is expected


@pytest.mark.parametrize(
    ("kind", "limit"), [(General, 0), (Room, 20), (Direct, None), (SharedAssistant, 0), (AssistantSession, 0)]
)
def test_small_rooms_and_direct_conversations_have_read_receipts(
    kind: type[ConversationKind], limit: int | None
) -> None:
    assert kind.receipt_member_limit == limit


def test_only_a_manager_of_a_room_mentions_all() -> None:
    assert Room.may_mention_all(MANAGER)
    assert not Room.may_mention_all(MEMBER)
    for kind in (General, Direct, SharedAssistant, AssistantSession):
        assert not kind.may_mention_all(MANAGER)


def test_assistants_answer_every_message_only_in_their_own_conversations() -> None:
    assert [kind for kind in (General, Room, Direct, SharedAssistant, AssistantSession) if kind.has_assistant] == [
        SharedAssistant,
        AssistantSession,
    ]
    assert AssistantSession.is_personal
    assert not SharedAssistant.is_personal


def test_a_user_without_a_membership_is_no_manager() -> None:
    assert [is_manager(membership) for membership in (STRANGER, MEMBER, BLOCKED, MANAGER)] == [
        False,
        False,
        False,
        True,
    ]
