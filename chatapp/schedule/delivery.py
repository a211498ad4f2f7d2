"""Sends scheduled messages: a message is posted, and its row is removed, in one transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete

from chatapp.actors import Actor
from chatapp.conversations.policy import no_such_conversation
from chatapp.errors import ChatError
from chatapp.models import now
from chatapp.operation import current_request_id
from chatapp.schedule.scheduled import SCHEDULED, Scheduled
from chatapp.schedule.signals import ScheduledChanged, scheduled_changed
from chatapp.search.index import tokenize_text
from chatapp.storage import BatchChange, Transaction
from chatapp.timeline import TimelineMessage
from chatapp.timeline.event_numbers import lock_columns
from chatapp.timeline.posting import Post


@dataclass(frozen=True, slots=True)
class Delivery(BatchChange[TimelineMessage | None]):
    """The change that sends a scheduled message. Its result is the message, or None if it is not due any more.

    It is authorized like every other post. It fails with the error that a post would have, and the row stays.
    """

    scheduled_id: int
    conversation_id: int | None
    actor: Actor | None = None
    """The author, if they send it before it is due."""

    @property
    def lock_keys(self) -> Collection[int]:
        """The id of the conversation."""
        return () if self.conversation_id is None else (self.conversation_id,)

    @classmethod
    def apply_batch(
        cls, transaction: Transaction, changes: Sequence[Any]
    ) -> Sequence[TimelineMessage | ChatError | None]:
        """Send messages in their order."""
        session = transaction.session
        # Conversations are locked before anything else, as by every other change. Another process that is about to send
        # the same messages waits here, and then finds that they are gone.
        lock_columns(session, {key for change in changes for key in change.lock_keys})
        table = SCHEDULED.table
        query = SCHEDULED.select.where(table.c.id.in_([change.scheduled_id for change in changes]))
        rows = session.execute(query.with_for_update(of=table)).all()
        scheduled = {each.id: each for each in SCHEDULED.load(session, rows)}
        prepared = [change.prepare(scheduled.get(change.scheduled_id)) for change in changes]
        posts = [each for each in prepared if isinstance(each, Post)]
        outcomes = iter(Post.apply_batch(transaction, posts) if posts else ())
        results = [next(outcomes) if isinstance(each, Post) else each for each in prepared]
        sent = [
            scheduled[change.scheduled_id]
            for change, result in zip(changes, results, strict=True)
            if isinstance(result, TimelineMessage)
        ]
        session.execute(delete(table).where(table.c.id.in_([each.id for each in sent])))
        for each in sent:
            transaction.send_on_commit(scheduled_changed, ScheduledChanged(each.user_id, each.id, "sent"))
        return results

    def prepare(self, scheduled: Scheduled | None) -> Post | ChatError | None:
        """Return the post that sends the message, the error if there cannot be one, or None if it is not due."""
        if self.actor is None:
            if scheduled is None or scheduled.problem is not None or scheduled.due_at > now():
                return None
        elif scheduled is None or scheduled.user_id != self.actor.user_id:
            return SCHEDULED.not_found()
        if scheduled.conversation is None:
            return no_such_conversation()
        return Post(
            scheduled.conversation,
            # The login with which it was scheduled may have ended since. Its account must be active.
            self.actor or Actor(scheduled.user_id),
            scheduled.content,
            scheduled.client_id,
            now(),
            reply_to=scheduled.reply_to,
            thread_seq=scheduled.thread_root,
            is_in_room=scheduled.is_in_room,
            files=scheduled.files,
            request_id=current_request_id.get(),
            search_tokens=tokenize_text(scheduled.content, [file.name for file in scheduled.files]),
        )
