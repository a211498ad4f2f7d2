"""What leaves a conversation with an assistant: files to keep, and a public page."""

from collections.abc import Iterator

from flask import (
    Blueprint,
    Response,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from werkzeug.utils import secure_filename
from werkzeug.wrappers import Response as AnyResponse

from chatapp.actors import Actor
from chatapp.assistant_config import current_assistants
from chatapp.assistants.export import write_json, write_markdown
from chatapp.assistants.sharing import find_token, get_shared, share, unshare
from chatapp.conversations.names import ConversationName, parse_name
from chatapp.conversations.policy import authorize_export
from chatapp.conversations.queries import find_access_of
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.models import Conversation
from chatapp.native import run_native
from chatapp.presentation.urls import find_path, parse_seq
from chatapp.timeline import TimelineMessage, page

blueprint = Blueprint("transcripts", __name__)

BATCH = 200
"""Messages that are read at once."""

SHOWN = 200
"""Messages on a public page."""

PDF_CHARACTERS = 300_000
"""What a PDF has at the most: the last messages that fit. The other forms have all."""


@blueprint.get("/conversations/<conversation>/export.<any(json, md, pdf):form>")
@login_required
def export(conversation: str, form: str) -> Response:
    """Give a conversation with an assistant as a file."""
    name, actor = parse_name(conversation), current_person().actor
    here = _read(name, actor)
    title, end = _title(here), here.last_event
    if form == "pdf":
        # A tenth of a server's start: for who wants a PDF, and here, as native threads cannot import what is green.
        from chatapp.assistants.pdf import make_pdf

        messages, is_cut = _last_messages(here)
        # Nobody's connection waits for the drawing.
        db.session.remove()
        response = Response(run_native(make_pdf, title, messages, is_cut=is_cut), mimetype="application/pdf")
    else:
        write, mimetype = (write_json, "application/json") if form == "json" else (write_markdown, "text/markdown")
        pieces = write(title, _all_messages(name, actor, end))
        response = Response(stream_with_context(pieces), content_type=f"{mimetype}; charset=utf-8")
    filename = f"{secure_filename(title) or conversation}.{form}"
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    return response


@blueprint.post("/conversations/<conversation>/share")
@login_required
def create_link(conversation: str) -> AnyResponse:
    """Let everybody who has the link read."""
    name = parse_name(conversation)
    share(current_person().actor, name)
    flash("Everybody who has the link can read this conversation now. The menu has the link.")
    return redirect(find_path(name))


@blueprint.post("/conversations/<conversation>/unshare")
@login_required
def revoke_link(conversation: str) -> AnyResponse:
    """Revoke the link."""
    name = parse_name(conversation)
    unshare(current_person().actor, name)
    flash("The link is revoked: nobody can read at it any more.")
    return redirect(find_path(name))


@blueprint.get("/shared/<token>")
def shared(token: str) -> Response:
    """Show a conversation to whoever has its link."""
    conversation = get_shared(db.session(), token)
    shown = page(db.session(), conversation, before=parse_seq(request.args.get("before")), limit=SHOWN)
    answer = make_response(
        render_template("transcripts/shared.html", title=_title(conversation), page=shown, token=token)
    )
    answer.headers["X-Robots-Tag"] = "noindex"
    # A link that is revoked shows nothing from a cache either.
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.app_template_global()
def share_url(conversation_id: int) -> str | None:
    """Give the address of a conversation's public page, if it has one."""
    token = find_token(db.session(), conversation_id)
    return None if token is None else url_for("transcripts.shared", token=token, _external=True)


def _read(name: ConversationName, actor: Actor) -> Conversation:
    return authorize_export(*find_access_of(db.session(), name, actor))


def _all_messages(name: ConversationName, actor: Actor, end: int) -> Iterator[TimelineMessage]:
    """Read up to the event `end`, and ask for each batch anew whether one may: a slow reader holds no connection."""
    after, has_newer = 0, True
    while has_newer:
        messages = page(db.session(), _read(name, actor), after=after, before=end + 1, limit=BATCH).messages
        db.session.remove()
        yield from (message for message in messages if message.deleted_at is None)
        after, has_newer = (messages[-1].seq or end if messages else end), len(messages) == BATCH


def _last_messages(here: Conversation) -> tuple[list[TimelineMessage], bool]:
    found: list[TimelineMessage] = []
    characters, before, has_older = 0, here.last_event + 1, True
    while has_older:
        batch = page(db.session(), here, before=before, limit=BATCH)
        for message in reversed(batch.messages):
            # An empty line costs as much as some words.
            characters += len(message.content) + 100
            if characters > PDF_CHARACTERS:
                return found[::-1], True
            if message.deleted_at is None:
                found.append(message)
        before, has_older = batch.oldest_seq or 0, batch.has_older
    return found[::-1], False


def _title(here: Conversation) -> str:
    if here.is_private:
        return here.name or "New session"
    assistant = current_assistants().get(here.assistant or "")
    return assistant.display_name if assistant else here.assistant or ""
