"""Read receipts: how far the members of a conversation have read, as the others see it."""

from collections.abc import Collection, Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from chatapp.conversations.kinds import kind_of
from chatapp.conversations.people import Person
from chatapp.conversations.refs import ConversationRef
from chatapp.models import Conversation, Membership, User
from chatapp.storage import Transaction
from chatapp.timeline.read_markers import ReadReceipt
from chatapp.timeline.signals import ReadReceiptChanged, read_receipt_changed


def list_read_receipts(session: Session, conversation: Conversation) -> Sequence[ReadReceipt]:
    """List the read receipts of the members who share them; none if the conversation has no receipts."""
    if not _has_receipts(session, conversation):
        return []
    return [ReadReceipt(Person.of(user), seq) for user, seq in session.execute(_select_receipts(conversation.id))]


def send_read_receipts(transaction: Transaction, conversation: Conversation, user_ids: Collection[int]) -> None:
    """Send the read receipts of these members after the commit, if the conversation has receipts."""
    if not _has_receipts(transaction.session, conversation):
        return
    ref = ConversationRef.of(conversation)
    for user, seq in transaction.session.execute(_select_receipts(conversation.id).where(User.id.in_(user_ids))):
        receipt = ReadReceipt(Person.of(user), seq)
        transaction.send_on_commit(read_receipt_changed, ReadReceiptChanged(ref, receipt))


def _has_receipts(session: Session, conversation: Conversation) -> bool:
    limit = kind_of(conversation).receipt_member_limit
    if limit is None:
        return True
    members = select(Membership.user_id).where(Membership.conversation_id == conversation.id).limit(limit + 1)
    return session.scalars(select(func.count()).select_from(members.subquery())).one() <= limit


def _select_receipts(conversation_id: int) -> Select[User, int]:
    return (
        select(User, Membership.last_read_seq)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.conversation_id == conversation_id, User.sends_receipts)
        .order_by(User.id)
    )
