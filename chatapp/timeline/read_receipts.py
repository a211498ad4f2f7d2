"""Read receipts: how far the members of a conversation have read, as the others see it."""

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import kind_of
from chatapp.conversations.people import PERSON_COLUMNS, make_person
from chatapp.conversations.refs import ConversationRef
from chatapp.models import Conversation, Membership, User
from chatapp.storage import INTEGER, ReadStatement, Transaction, opaque_parameter
from chatapp.timeline.read_markers import ReadReceipt
from chatapp.timeline.signals import ReadReceiptChanged, read_receipt_changed

# Built once: building a statement takes as long as executing it.
_IS_IN_CONVERSATION = Membership.conversation_id == bindparam("conversation_id")

_COUNT_MEMBERS = ReadStatement(
    select(func.count()).select_from(
        select(Membership.user_id).where(_IS_IN_CONVERSATION).limit(opaque_parameter("limit", INTEGER)).subquery()
    )
)

_SELECT_RECEIPTS = ReadStatement(
    select(*PERSON_COLUMNS, Membership.last_read_seq)
    .join(Membership, Membership.user_id == User.id)
    .where(_IS_IN_CONVERSATION, User.sends_receipts)
    .order_by(User.id)
)


def list_read_receipts(session: Session, conversation: Conversation) -> Sequence[ReadReceipt]:
    """List the read receipts of the members who share them; none if the conversation has no receipts."""
    if not _has_receipts(session, conversation):
        return []
    rows = _SELECT_RECEIPTS.fetch(session, conversation_id=conversation.id)
    return [ReadReceipt(make_person(*person), seq) for *person, seq in rows]


def send_read_receipts(transaction: Transaction, conversation: Conversation, user_ids: Collection[int]) -> None:
    """Send the read receipts of these members after the commit, if the conversation has receipts."""
    ref = ConversationRef.of(conversation)
    for receipt in list_read_receipts(transaction.session, conversation):
        if receipt.person.id in user_ids:
            transaction.send_on_commit(read_receipt_changed, ReadReceiptChanged(ref, receipt))


def _has_receipts(session: Session, conversation: Conversation) -> bool:
    limit = kind_of(conversation).receipt_member_limit
    if not limit:
        return limit is None
    ((count,),) = _COUNT_MEMBERS.fetch(session, conversation_id=conversation.id, limit=limit + 1)
    return int(count) <= limit
