"""The pages for admins."""

from flask import Blueprint, Response, flash, redirect, render_template, request, stream_with_context, url_for
from werkzeug.wrappers import Response as BaseResponse

from chatapp.admin import service
from chatapp.admin.export import write_csv, write_json_lines
from chatapp.admin.forms import KIND_LABELS, AuditFilterForm, EmojiForm, PersonForm, SwitchesForm
from chatapp.admin.queries import (
    MAX_LISTED,
    get_installation,
    list_abandoned_rooms,
    list_all_tokens,
    list_share_links,
    list_webhooks,
)
from chatapp.assistants.queries import find_shared_conversation
from chatapp.audit_log import AuditKind, record
from chatapp.audit_log.queries import iterate_entries, list_entries
from chatapp.config.assistants import current_assistants
from chatapp.conversations.avatars import authorize_avatar, change_avatar
from chatapp.conversations.refs import ConversationRef
from chatapp.custom_emoji import service as emoji_service
from chatapp.custom_emoji.queries import list_emoji
from chatapp.errors import Invalid, NotFound
from chatapp.extensions import db
from chatapp.files.uploads import UPLOAD_ERRORS
from chatapp.identity import current_admin, login_required
from chatapp.presentation.avatars import AVATAR_ERRORS, AvatarForm
from chatapp.presentation.forms import ViewResponse
from chatapp.presentation.urls import ID, parse_seq
from chatapp.storage import write

blueprint = Blueprint("admin", __name__, url_prefix="/admin")

PAGE_SIZE = 100
"""Entries on a page of the audit log."""


@blueprint.get("/access")
@login_required
def access() -> ViewResponse:
    """List the webhooks, share links and tokens, of one user or of all, and the switches of the installation."""
    current_admin()
    form, session = PersonForm(), db.session()
    username = form.username if form.validate() else None
    installation = get_installation(session)
    page = render_template(
        "admin/access.html",
        form=form,
        switches=SwitchesForm(formdata=None, obj=installation),
        webhooks=list_webhooks(session, username),
        share_links=list_share_links(session, username),
        tokens=list_all_tokens(session, username),
        max_listed=MAX_LISTED,
    )
    return page, form.status


@blueprint.post("/switches")
@login_required
def set_switches() -> BaseResponse:
    """Switch share links and outgoing webhooks on or off."""
    admin, form = current_admin(), SwitchesForm()
    service.set_switches(
        admin.actor,
        has_share_links=bool(form.has_share_links.data),
        has_outgoing_webhooks=bool(form.has_outgoing_webhooks.data),
    )
    flash("Settings saved.")
    return redirect(url_for("admin.access"))


@blueprint.post(f"/webhooks/<any(incoming, outgoing):direction>/<{ID}:webhook_id>/revoke")
@login_required
def revoke_webhook(direction: str, webhook_id: int) -> BaseResponse:
    """Delete a webhook."""
    service.revoke_webhook(current_admin().actor, direction, webhook_id)
    flash("The webhook was deleted.")
    return redirect(url_for("admin.access"))


@blueprint.post(f"/share-links/<{ID}:conversation_id>/revoke")
@login_required
def revoke_share_link(conversation_id: int) -> BaseResponse:
    """Revoke a share link."""
    service.revoke_share_link(current_admin().actor, conversation_id)
    flash("The public link was revoked. It no longer works.")
    return redirect(url_for("admin.access"))


@blueprint.post(f"/tokens/<{ID}:token_id>/revoke")
@login_required
def revoke_token(token_id: int) -> BaseResponse:
    """Revoke an API token."""
    service.revoke_token(current_admin().actor, token_id)
    flash("The API token was revoked.")
    return redirect(url_for("admin.access"))


@blueprint.get("/rooms")
@login_required
def rooms() -> str:
    """List the private rooms without an active member."""
    current_admin()
    return render_template("admin/rooms.html", rooms=list_abandoned_rooms(db.session()))


@blueprint.post(f"/rooms/<{ID}:room_id>/recover")
@login_required
def recover_room(room_id: int) -> BaseResponse:
    """Become the manager of a private room without an active member."""
    service.recover_room(current_admin().actor, room_id)
    return redirect(url_for("rooms.edit", room_id=room_id))


@blueprint.get("/emoji")
@login_required
def emoji() -> ViewResponse:
    """List the custom emoji, with the form for a new one."""
    current_admin()
    return _show_emoji(EmojiForm(formdata=None))


@blueprint.post("/emoji")
@login_required
def add_emoji() -> ViewResponse:
    """Add a custom emoji."""
    admin, form = current_admin(), EmojiForm()
    if form.validate():
        with form.show_errors(*UPLOAD_ERRORS):
            image = form.image.data
            emoji_service.upload_emoji(admin.actor, form.text(form.name), image.filename, image.stream)
            flash("Emoji added.")
            return redirect(url_for("admin.emoji"))
    return _show_emoji(form)


@blueprint.post("/emoji/<name>/delete")
@login_required
def delete_emoji(name: str) -> BaseResponse:
    """Delete a custom emoji."""
    emoji_service.delete_emoji(current_admin().actor, name)
    flash("Emoji deleted.")
    return redirect(url_for("admin.emoji"))


def _show_emoji(form: EmojiForm) -> ViewResponse:
    return form.page("admin/emoji.html", emoji=list_emoji(db.session()), max_kb=emoji_service.MAX_KB)


@blueprint.get("/assistants")
@login_required
def assistants() -> str:
    """List the assistants, whose pictures admins change."""
    current_admin()
    return render_template("admin/assistants.html", assistants=current_assistants())


@blueprint.route("/assistants/<assistant>/picture", methods=["GET", "POST"])
@login_required
def change_assistant_picture(assistant: str) -> ViewResponse:
    """Show the picture of an assistant, and change it."""
    admin, form = current_admin(), AvatarForm()
    ref = _get_assistant_ref(assistant)
    conversation = authorize_avatar(db.session(), admin.actor, ref)
    with form.show_errors(*AVATAR_ERRORS):
        if form.validate_on_submit():
            change_avatar(admin.actor, ref, form.store(admin.id))
            flash("The picture of the assistant was changed.")
            return redirect(url_for("admin.assistants"))
    shown = current_assistants()[conversation.assistant or ""]
    return form.page("admin/assistant_picture.html", assistant=shown, has_picture=bool(conversation.avatar_digest))


@blueprint.post("/assistants/<assistant>/picture/remove")
@login_required
def remove_assistant_picture(assistant: str) -> BaseResponse:
    """Remove the picture of an assistant."""
    change_avatar(current_admin().actor, _get_assistant_ref(assistant), None)
    flash("The picture of the assistant was removed.")
    return redirect(url_for("admin.assistants"))


def _get_assistant_ref(assistant: str) -> ConversationRef:
    """Return the ref of the conversation that has the picture of the assistant of this name. Raises `NotFound`."""
    conversation = find_shared_conversation(db.session(), assistant)
    if conversation is None:
        raise NotFound("There is no such assistant.")
    return ConversationRef.of(conversation)


@blueprint.get("/audit-log")
@login_required
def audit_log() -> ViewResponse:
    """Show the entries of the audit log that match the conditions in the query, newest first."""
    current_admin()
    form = AuditFilterForm()
    entries = []
    if form.validate():
        before = parse_seq(request.args.get("before"))
        entries = list(list_entries(db.session(), form.parse(), limit=PAGE_SIZE + 1, before=before))
    conditions = {name: value for name, value in request.args.items() if name in form and value}
    page = render_template(
        "admin/audit_log.html",
        form=form,
        entries=entries[:PAGE_SIZE],
        oldest_id=entries[PAGE_SIZE - 1].id if len(entries) > PAGE_SIZE else None,
        conditions=conditions,
        labels=KIND_LABELS,
    )
    return page, form.status


@blueprint.get("/audit-log.<any(jsonl, csv):file_format>")
@login_required
def export_audit_log(file_format: str) -> Response:
    """Download the entries of the audit log that match the conditions in the query."""
    actor = current_admin().actor
    form = AuditFilterForm()
    if not form.validate():
        raise Invalid("These conditions are not valid. Choose them on the page of the audit log.")
    write(lambda transaction: record(transaction, AuditKind.AUDIT_LOG_EXPORTED, actor, target=file_format))
    entries = iterate_entries(actor, form.parse())
    lines, mimetype = (
        (write_csv(entries), "text/csv") if file_format == "csv" else (write_json_lines(entries), "application/jsonl")
    )
    response = Response(stream_with_context(lines), content_type=f"{mimetype}; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"audit-log.{file_format}")
    return response
