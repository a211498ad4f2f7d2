"""Events of drafts, and what a person's other devices show of them."""

from typing import Any

from chatapp.conversations.policy import authorize_reading
from chatapp.conversations.queries import find_reader_access
from chatapp.conversations.refs import parse_ref
from chatapp.extensions import db
from chatapp.realtime.handlers import Ack, Caller, EventNumber, Payload, handles
from chatapp.timeline.drafts import DraftState, find_draft, save_draft
from chatapp.timeline.signals import DraftChanged


class SaveDraftPayload(Payload):
    """Payload of `save_draft`. `save_draft` validates content and client id."""

    conversation: object
    content: object
    version: EventNumber
    thread: EventNumber | None = None
    client_id: object = None


class DraftPayload(Payload):
    """Payload of `draft`."""

    conversation: object
    thread: EventNumber | None = None


@handles("save_draft", SaveDraftPayload)
def save(caller: Caller, payload: SaveDraftPayload) -> Ack:
    """Save the caller's draft, unless another device has done so meanwhile."""
    saved = save_draft(
        parse_ref(payload.conversation),
        caller.user.actor,
        content=payload.content,
        version=payload.version,
        thread_root=payload.thread,
        client_id=payload.client_id,
    )
    return {"draft": _present(saved.draft), "saved": saved.is_saved}


@handles("draft", DraftPayload)
def show(caller: Caller, payload: DraftPayload) -> Ack:
    """Return the caller's draft."""
    access = find_reader_access(db.session(), parse_ref(payload.conversation), caller.user.actor)
    conversation = authorize_reading(*access)
    return {"draft": _present(find_draft(db.session(), caller.user.id, conversation.id, payload.thread))}


def present_draft_changed(changed: DraftChanged) -> dict[str, Any]:
    """Return the payload of `draft_changed`."""
    return {
        "conversation": changed.conversation.wire_name,
        "thread": changed.thread_root,
        "content": changed.content,
        "version": changed.version,
    }


def _present(draft: DraftState) -> dict[str, Any]:
    return {"content": draft.content, "version": draft.version, "client_id": draft.client_id}
