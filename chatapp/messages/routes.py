"""HTML fragments that a conversation's page fetches, and the form that posts without JavaScript."""

from collections.abc import Collection, Mapping, Sequence

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from chatapp.config.assistants import list_assistants
from chatapp.conversations.commands import REMIND, find_command
from chatapp.conversations.kinds import kind_of
from chatapp.conversations.policy import (
    authorize_posting,
    authorize_reading,
    may_pin,
    may_read,
    no_such_conversation,
)
from chatapp.conversations.preferences import PreferenceChanges, update_preferences
from chatapp.conversations.queries import ConversationAccess, find_access
from chatapp.conversations.refs import ConversationRef, parse_ref
from chatapp.errors import ChatError, Invalid, InvalidConversation, InvalidReply, NotFound, ThreadRemoved
from chatapp.extensions import db
from chatapp.fallback import current_fallback
from chatapp.files.attached import AttachedFile
from chatapp.files.uploads import UPLOAD_ERRORS
from chatapp.identity import current_person, find_current_person, login_required
from chatapp.limits.rates import QUOTES, SEARCHES, count_use
from chatapp.presentation.conversations import find_path, preview_message, render_conversation, view_conversation
from chatapp.presentation.kinds import pages_of
from chatapp.presentation.messages import present_message
from chatapp.presentation.quotes import quote_message
from chatapp.presentation.reader_clock import current_clock
from chatapp.presentation.reply_quotes import present_quote
from chatapp.presentation.sidebar import current_sidebars
from chatapp.presentation.threads import ThreadView, view_thread
from chatapp.presentation.urls import parse_place, parse_seq
from chatapp.schedule.reminders import remind_by_text
from chatapp.timeline import TimelineMessage, get_message, mark_read, pin, post, read_page, undelete
from chatapp.timeline.cleanup import clear
from chatapp.timeline.client_ids import client_id_of_form
from chatapp.timeline.content import check_content
from chatapp.timeline.conversation_state import ConversationState, find_state
from chatapp.timeline.mention_inbox import MentionCursor, read_mentions
from chatapp.timeline.mentions import MAX_SUGGESTIONS, list_mentionable
from chatapp.timeline.pins import list_pinned
from chatapp.timeline.quoted import read_by_seqs, read_quoted
from chatapp.timeline.reading import SCROLLED_PAGE_SIZE, find_first_since, read_context
from chatapp.timeline.references import message_path, thread_path
from chatapp.timeline.versions import read_versions
from chatapp.web.caching import revalidated
from chatapp.web.form_files import stored_form_files

blueprint = Blueprint("messages", __name__)

REFUSALS: tuple[type[ChatError], ...] = (Invalid, InvalidReply, ThreadRemoved, *UPLOAD_ERRORS)
"""Errors that the composer shows, with the refused message."""

MAX_QUOTES = 50
"""Maximum number of quotes in one response."""

MENTIONS_PAGE_SIZE = 50
"""Number of messages on a page of mentions."""

VERSIONS_PAGE_SIZE = 50
"""Number of earlier versions on a page."""


@blueprint.get("/conversations/<conversation>/messages")
@login_required
@revalidated
def read(conversation: str) -> str:
    """Return the HTML of the messages before the number `before`, or after the number `after`."""
    readable = authorize_reading(*_find_access(parse_ref(conversation)))
    place = parse_place(request.args)
    page = read_page(db.session(), readable, before=place.before, after=place.after, limit=SCROLLED_PAGE_SIZE)
    quoted = read_quoted(db.session(), readable, page.messages)
    return render_template("messages/_page.html", page=page, last_read_seq=None, quoted=quoted)


@blueprint.post("/conversations/<conversation>/messages")
@login_required
def create(conversation: str) -> Response | tuple[str, int]:
    """Post a message. A refused one is shown in the composer again, with the error and its status."""
    ref = parse_ref(conversation)
    content, thread = request.form.get("content", ""), parse_seq(request.form.get("thread"), "thread")
    command = find_command(ref, content)
    if command and command.name == REMIND:
        authorize_reading(*_find_access(ref))  # The response leads to its page.
        reminder = remind_by_text(current_person().actor, command.argument, current_clock().zone)
        flash(f"Reminder set: {current_clock().format_due(reminder.due_at)}.")
        return redirect(find_path(ref), code=303)
    if command:
        return redirect(url_for("rooms.run", room_id=ref.id), code=307)  # The browser repeats the POST there.
    try:
        person = current_person()
        with stored_form_files(person.id) as files:
            message = post(
                ref,
                person.actor,
                content=content,
                files=files,
                client_id=_find_client_id(request.form, content, files),
                thread_seq=thread,
                is_in_room="also_in_room" in request.form,
                draft_version=parse_seq(request.form.get("draft"), "draft"),
                authorized_sender=person.as_person() if current_fallback().find_access(person.id, ref) else None,
            )
    except REFUSALS as error:
        state = find_state(db.session(), ref, current_person().id)
        shown = _view_refused_reply(state, thread, content, error)
        if shown:
            return render_template("threads/show.html", view=shown), error.status
        view = view_conversation(state, draft=content, error=error)
        return render_conversation(view), error.status
    if message.thread_root is not None:
        return redirect(f"{thread_path(ref.wire_name, message.thread_root)}#message-{message.seq or ''}", code=303)
    return redirect(find_path(ref) if message.is_pending else f"{find_path(ref)}#message-{message.seq}", code=303)


def _view_refused_reply(
    state: ConversationState, thread: int | None, draft: str, error: ChatError
) -> ThreadView | None:
    """Return the view of the thread that a message was refused in, or None if it has no composer for the draft."""
    if thread is None or kind_of(authorize_reading(*state.access)).has_assistant:
        return None
    try:
        view = view_thread(state, thread, draft=draft, error=error)
    except NotFound:
        return None  # Nothing is left of it.
    return view if view.may_post else None


@blueprint.post("/conversations/<conversation>/preview")
@login_required
def preview(conversation: str) -> Markup:
    """Return the HTML of a message with the content that is being written."""
    ref, person = parse_ref(conversation), current_person()
    authorize_posting(*_find_access(ref))
    content = check_content(request.form.get("content"))
    return present_message(preview_message(ref, person, content)).html


@blueprint.post("/conversations/<conversation>/read")
@login_required
def mark_as_read(conversation: str) -> Response:
    """Mark a conversation as read up to the number `seq`."""
    ref = parse_ref(conversation)
    mark_read(ref, current_person().actor, parse_seq(request.form.get("seq"), "seq") or 0)
    path = url_for("messages.mentions") if request.form.get("from") == "mentions" else find_path(ref)
    return redirect(path, code=303)


@blueprint.get("/mentions")
@login_required
@revalidated
def mentions() -> str:
    """Show the messages that mention the user, unread ones first."""
    viewer = current_person()
    page = read_mentions(db.session(), viewer.id, after=_parse_mention_cursor(request.args), limit=MENTIONS_PAGE_SIZE)
    conversations = [each.conversation for each in page.mentions]
    return render_template(
        "messages/mentions.html",
        page=page,
        shown=list(zip(page.mentions, pages_of(db.session(), conversations, viewer.id), strict=True)),
    )


def _parse_mention_cursor(arguments: Mapping[str, str]) -> MentionCursor | None:
    for name, is_unread in (("unread_before", True), ("read_before", False)):
        number = parse_seq(arguments.get(name), name)
        if number is not None:
            return MentionCursor(is_unread, number)
    return None


@blueprint.post("/conversations/<conversation>/clear")
@login_required
def clear_history(conversation: str) -> Response:
    """Remove all messages of a conversation."""
    ref = parse_ref(conversation)
    count = clear(current_person().actor, ref)
    flash("1 message deleted." if count == 1 else f"{count:,} messages deleted.")
    return redirect(find_path(ref))


@blueprint.post("/conversations/<conversation>/preferences")
@login_required
def change_preferences(conversation: str) -> Response:
    """Change what the user has set for a conversation: the value of the button that was pressed."""
    ref, changes = parse_ref(conversation), PreferenceChanges()
    if "notification_level" in request.form:
        changes["notification_level"] = request.form["notification_level"]
    if "muted" in request.form:
        changes["is_muted"] = request.form["muted"] == "yes"
    if "favorite" in request.form:
        changes["is_favorite"] = request.form["favorite"] == "yes"
    update_preferences(ref, current_person().actor, changes)
    return redirect(find_path(ref))


@blueprint.get("/conversations/<conversation>/messages/<seq>")
@login_required
def show(conversation: str, seq: str) -> Response:
    """Redirect to the page that shows a message: that of its conversation, or of its thread."""
    ref = parse_ref(conversation)
    readable = authorize_reading(*_find_access(ref))
    message = get_message(db.session(), readable, parse_seq(seq) or 0)
    if message.is_in_room or message.thread_root is None:
        return _redirect_to(ref, message.seq)
    path = thread_path(ref.wire_name, message.thread_root)
    return redirect(f"{path}?around={message.seq}#message-{message.seq}")


@blueprint.get("/conversations/<conversation>/messages/<seq>/context")
@login_required
@revalidated
def context(conversation: str, seq: str) -> str:
    """Return the HTML of a message with those before and after it, for the results of a search."""
    readable = authorize_reading(*_find_access(parse_ref(conversation)))
    count_use(QUOTES, current_person().id)
    number = parse_seq(seq) or 0
    return render_template("messages/_context.html", messages=read_context(db.session(), readable, number), seq=number)


@blueprint.get("/conversations/<conversation>/date")
@login_required
def jump_to_date(conversation: str) -> Response:
    """Redirect to the first message of the day `date` of the reader, or after it; to the latest if there is none."""
    ref = parse_ref(conversation)
    readable = authorize_reading(*_find_access(ref))
    day = current_clock().start_of_day(request.args.get("date", ""))
    return _redirect_to(ref, find_first_since(db.session(), readable, day))


@blueprint.get("/conversations/<conversation>/messages/<seq>/quote")
def quote(conversation: str, seq: str) -> str:
    """Return the HTML of a message as a quote in an answer shows it.

    Raises `NotFound` for everybody who may not read it, also without a login: public pages have such references too.
    """
    viewer = find_current_person()
    if viewer is None:
        raise no_such_conversation()
    access = _find_access(parse_ref(conversation))
    if not may_read(*access):
        raise no_such_conversation()
    readable = authorize_reading(*access)
    message = get_message(db.session(), readable, parse_seq(seq) or 0)
    if message.deleted_at is not None:
        raise NotFound("This message was deleted.")
    (page,) = pages_of(db.session(), [readable], viewer.id)
    return _render_reference(message, page.title)


@blueprint.get("/quotes")
@login_required
def list_references() -> Response:
    """Return the HTML of the messages that those of a page refer to, each `message` as `general/7`.

    It is null for messages that do not exist, that were deleted, or that the user may not read.
    """
    count_use(QUOTES, current_person().id)
    names = set(request.args.getlist("message"))
    if len(names) > MAX_QUOTES:
        raise Invalid(f"At most {MAX_QUOTES} quotes can be requested together.")
    wanted = {name: _parse_reference(name) for name in names}
    found: dict[tuple[ConversationRef, int] | None, str] = {}
    for ref in {key[0] for key in wanted.values() if key is not None}:
        found |= _render_references(ref, {key[1] for key in wanted.values() if key is not None and key[0] == ref})
    return jsonify(quotes={name: found.get(key) for name, key in wanted.items()})


def _parse_reference(name: str) -> tuple[ConversationRef, int] | None:
    """Return the conversation and the number of a message, or None if somebody has written what names none."""
    conversation, _, seq = name.partition("/")
    try:
        return parse_ref(conversation), parse_seq(seq) or 0
    except (Invalid, InvalidConversation):
        return None


def _render_references(ref: ConversationRef, seqs: Collection[int]) -> dict[tuple[ConversationRef, int] | None, str]:
    """Return the HTML of those of a conversation's messages that exist, if the user may read them."""
    access = _find_access(ref)
    if not may_read(*access):
        return {}
    readable = authorize_reading(*access)
    (page,) = pages_of(db.session(), [readable], current_person().id)
    return {
        (ref, message.seq or 0): _render_reference(message, page.title)
        for message in read_by_seqs(db.session(), readable, seqs)
        if message.deleted_at is None
    }


def _render_reference(message: TimelineMessage, title: str) -> str:
    return render_template(
        "messages/_quote.html",
        message=message,
        text=quote_message(message),
        title=title,
        path=message_path(message.conversation.wire_name, message.seq or 0),
    )


@blueprint.get("/conversations/<conversation>/quotes")
@login_required
def list_quotes(conversation: str) -> Response:
    """Return the quotes of the messages with the numbers `seq`, for the replies on a page."""
    readable = authorize_reading(*_find_access(parse_ref(conversation)))
    count_use(QUOTES, current_person().id)
    seqs = {parse_seq(each, "seq") or 0 for each in request.args.getlist("seq")}
    if len(seqs) > MAX_QUOTES:
        raise Invalid(f"At most {MAX_QUOTES} quotes can be requested together.")
    messages = read_by_seqs(db.session(), readable, seqs)
    return jsonify(quotes=[present_quote(message) for message in messages])


@blueprint.get("/conversations/<conversation>/messages/<seq>/versions")
@login_required
@revalidated
def versions(conversation: str, seq: str) -> str:
    """Show the edit history of a message: its text and the earlier ones, latest first."""
    readable = authorize_reading(*_find_access(parse_ref(conversation)))
    before = parse_seq(request.args.get("before"))
    number = parse_seq(seq) or 0
    page = read_versions(db.session(), readable, number, before=before, limit=VERSIONS_PAGE_SIZE)
    return render_template(
        "messages/versions.html",
        message=get_message(db.session(), readable, number),
        page=page,
        path=message_path(readable.wire_name, number),
        is_latest=before is None,
    )


@blueprint.get("/conversations/<conversation>/pins")
@login_required
@revalidated
def pins(conversation: str) -> str:
    """Show the pinned messages of a conversation, last pinned first."""
    access, person = _find_access(parse_ref(conversation)), current_person()
    readable = authorize_reading(*access)
    (page,) = pages_of(db.session(), [readable], person.id)
    return render_template(
        "messages/pins.html",
        page=page,
        conversation=readable,
        pins=list_pinned(db.session(), readable),
        may_pin=may_pin(*access, is_admin=person.is_admin),
    )


@blueprint.post("/conversations/<conversation>/messages/<seq>/pin")
@login_required
def change_pin(conversation: str, seq: str) -> Response:
    """Pin a message, or unpin it: the value of the button that was pressed."""
    ref = parse_ref(conversation)
    pin(ref, current_person().actor, parse_seq(seq) or 0, on=request.form.get("pinned") == "yes")
    return redirect(url_for("messages.pins", conversation=ref.wire_name))


@blueprint.post("/conversations/<conversation>/messages/<seq>/undelete")
@login_required
def undo_deletion(conversation: str, seq: str) -> Response:
    """Undo the deletion of a message."""
    message = undelete(parse_ref(conversation), current_person().actor, parse_seq(seq) or 0)
    return redirect(message_path(message.conversation.wire_name, message.seq or 0), code=303)


@blueprint.get("/conversations/<conversation>/people")
@login_required
@revalidated
def mentionable(conversation: str) -> str:
    """Return the HTML of the people and assistants that a message can mention, whose names begin with `prefix`."""
    access = _find_access(parse_ref(conversation))
    readable = authorize_reading(*access)
    count_use(SEARCHES, current_person().id)
    kind, prefix = kind_of(readable), request.args.get("prefix", "")
    people = list_mentionable(db.session(), readable, prefix)
    return render_template(
        "messages/_people.html",
        people=people,
        is_complete=not prefix and len(people) < MAX_SUGGESTIONS,
        assistants=list_assistants(prefix) if not kind.has_assistant else [],
        may_mention_all=kind.may_mention_all(access.membership),
    )


@blueprint.get("/sidebar")
@login_required
@revalidated
def sidebar() -> str:
    """Return the HTML of the sidebar's lists, with the state of the conversation that the page shows, if any."""
    conversation = request.args.get("conversation")
    opened = _render_opened(parse_ref(conversation)) if conversation else ""
    return current_sidebars().render(current_person()) + opened


def _redirect_to(ref: ConversationRef, seq: int | None) -> Response:
    """Redirect to a message between those before and after it."""
    return redirect(find_path(ref) if seq is None else f"{find_path(ref)}?around={seq}#message-{seq}")


def _find_client_id(form: Mapping[str, str], content: str, files: Sequence[AttachedFile]) -> str:
    """Return the client id of a posted message: that of a program, or one for the form of a page and what it has."""
    form_id = form.get("form_id")
    if form_id is None:
        return form.get("client_id", "")
    return client_id_of_form(form_id, "\n".join([content, *(file.digest for file in files)]))


def _render_opened(ref: ConversationRef) -> str:
    state = find_state(db.session(), ref, current_person().id)
    if not may_read(*state.access):
        return ""
    conversation = authorize_reading(*state.access)
    (page,) = pages_of(db.session(), [conversation], current_person().id)
    return render_template(
        "conversations/_opened.html",
        title=page.title,
        topic=conversation.topic,
        preferences=state.preferences,
        has_read_state=state.read_state is not None,
        member_count=state.member_count,
        scheduled=state.scheduled,
        archived_text=kind_of(conversation).archived_text if conversation.is_archived else "",
    )


def _find_access(ref: ConversationRef) -> ConversationAccess:
    return find_access(db.session(), ref, current_person().id)
