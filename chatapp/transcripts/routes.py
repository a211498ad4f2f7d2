"""Pages of transcripts: export, share links, and the public page."""

from functools import partial

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
from werkzeug.wrappers import Response as BaseResponse

from chatapp.conversations.refs import parse_ref
from chatapp.encryption.streams import Undecryptable
from chatapp.extensions import db, get_client_network
from chatapp.identity import current_person, login_required
from chatapp.limits.rates import EXPORTS, PUBLIC_PAGES, count_use
from chatapp.presentation.conversations import find_path
from chatapp.presentation.urls import parse_seq
from chatapp.timeline import read_page
from chatapp.timeline.quoted import read_quoted
from chatapp.transcripts.export import write_json, write_markdown
from chatapp.transcripts.exports import current_exports
from chatapp.transcripts.queries import (
    find_originals,
    get_readable,
    iterate_messages,
    iterate_replies,
    iterate_versions,
    list_latest_messages,
    transcript_header,
    transcript_title,
)
from chatapp.transcripts.sharing import create_share_link, find_share_token, get_shared_conversation, revoke_share_link

blueprint = Blueprint("transcripts", __name__)

PUBLIC_PAGE_SIZE = 50
"""Messages on a public page."""


@blueprint.get("/conversations/<conversation>/export.<any(json, md, pdf):file_format>")
@login_required
def export(conversation: str, file_format: str) -> Response:
    """Download a conversation with an assistant as a file."""
    ref, actor = parse_ref(conversation), current_person().actor
    readable = get_readable(ref, actor)
    count_use(EXPORTS, actor.user_id)
    header, last_event = transcript_header(readable), readable.last_event
    slot = current_exports().open_slot(actor.user_id)
    if file_format == "pdf":
        with slot:
            current_exports().check_pdf_capacity()
            latest, is_cut = list_latest_messages(readable)
            originals = find_originals(readable, latest)
            # The PDF takes long. Meanwhile others need the database connection.
            db.session.remove()
            pdf = current_exports().make_pdf(header, latest, originals, is_cut=is_cut)
        response = Response(pdf, mimetype="application/pdf")
    else:
        versions = partial(iterate_versions, ref, actor)
        if file_format == "json":
            mimetype = "application/json"
            pieces = write_json(header, iterate_messages(ref, actor, last_event), versions)
        else:
            mimetype = "text/markdown"
            pieces = write_markdown(header, iterate_replies(ref, actor, last_event), versions)
        response = Response(stream_with_context(slot.stream(pieces)), content_type=f"{mimetype}; charset=utf-8")
        response.call_on_close(slot.close)
    filename = f"{secure_filename(header.title) or conversation}.{file_format}"
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    return response


@blueprint.post("/conversations/<conversation>/share")
@login_required
def create_link(conversation: str) -> BaseResponse:
    """Create the share link of a conversation."""
    ref = parse_ref(conversation)
    create_share_link(current_person().actor, ref)
    flash("Anyone with the link can now read this conversation. Copy the link below.")
    return redirect(find_path(ref))


@blueprint.post("/conversations/<conversation>/unshare")
@login_required
def revoke_link(conversation: str) -> BaseResponse:
    """Revoke the share link of a conversation."""
    ref = parse_ref(conversation)
    revoke_share_link(current_person().actor, ref)
    flash("The link was revoked. It no longer works.")
    return redirect(find_path(ref))


@blueprint.get("/shared/<token>")
def shared(token: str) -> Response:
    """Show the public page of a conversation, without a login."""
    count_use(PUBLIC_PAGES, get_client_network())
    conversation = get_shared_conversation(db.session(), token)
    page = read_page(db.session(), conversation, before=parse_seq(request.args.get("before")), limit=PUBLIC_PAGE_SIZE)
    shown = [*page.messages, *read_quoted(db.session(), conversation, page.messages)]
    response = make_response(
        render_template(
            "transcripts/shared.html",
            title=transcript_title(conversation),
            page=page,
            quoted={message.seq: message for message in shown},
            token=token,
        )
    )
    response.headers["X-Robots-Tag"] = "noindex"
    # After the link was revoked, no cache may show the page.
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.app_template_global()
def share_url(conversation_id: int) -> str | None:
    """Return the URL of a conversation's public page, or a notice if it is unreadable; None if it is not shared."""
    try:
        token = find_share_token(db.session(), conversation_id)
    except Undecryptable:
        return "The link cannot be shown. Revoke it, and share the conversation again."
    return None if token is None else url_for("transcripts.shared", token=token, _external=True)
