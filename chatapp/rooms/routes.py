"""The pages of rooms."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chatapp.conversations.avatars import authorize_avatar, change_avatar
from chatapp.conversations.kinds import is_manager, kind_of
from chatapp.conversations.policy import authorize_reading, authorize_viewing
from chatapp.conversations.queries import ConversationAccess, find_access, get_summary
from chatapp.conversations.refs import room_ref
from chatapp.credentials import count_suspended_webhooks
from chatapp.errors import RateLimited
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.avatars import AVATAR_ERRORS, AvatarForm, conversation_avatar_path
from chatapp.presentation.conversations import render_conversation, view_conversation
from chatapp.presentation.forms import ViewResponse
from chatapp.presentation.reader_clock import current_clock
from chatapp.presentation.urls import ID, parse_place
from chatapp.rooms import service
from chatapp.rooms.commands import describe_added, run_command
from chatapp.rooms.forms import InviteForm, NewRoomForm, RoomForm
from chatapp.rooms.queries import MAX_LISTED_ROOMS, list_members, list_rooms
from chatapp.timeline.conversation_state import find_state
from chatapp.web.caching import revalidated

blueprint = Blueprint("rooms", __name__, url_prefix="/rooms")


@blueprint.get("")
@login_required
@revalidated
def index() -> str:
    """List the user's rooms and the open rooms they can join: the first ones, or all of them with `all`."""
    limit = None if "all" in request.args else MAX_LISTED_ROOMS
    return render_template("rooms/index.html", lists=list_rooms(db.session(), current_person().id, limit=limit))


@blueprint.route("/new", methods=["GET", "POST"])
@login_required
def new() -> ViewResponse:
    """Create a room, with the people who are chosen."""
    form = NewRoomForm()
    with form.show_errors(RateLimited):
        if form.validate_on_submit():
            room_id = service.create_with_members(
                current_person().actor,
                form.text(form.name),
                form.text(form.topic),
                form.text(form.visibility),
                form.username.data or (),
            )
            return _redirect_to_room(room_id)
    return form.page("rooms/new.html")


@blueprint.get(f"/<{ID}:room_id>")
@login_required
@revalidated
def show(room_id: int) -> str:
    """Show a room to its members, and to other users a page to join it."""
    state = find_state(db.session(), room_ref(room_id), current_person().id)
    room = authorize_viewing(*state.access)
    if state.access.membership is None:
        return render_template("rooms/join.html", room=get_summary(db.session(), room))
    return render_conversation(view_conversation(state, parse_place(request.args)))


@blueprint.post(f"/<{ID}:room_id>/membership")
@login_required
def join(room_id: int) -> Response:
    """Join an open room."""
    service.join_room(current_person().actor, room_id)
    return _redirect_to_room(room_id)


@blueprint.post(f"/<{ID}:room_id>/membership/end")
@login_required
def leave(room_id: int) -> Response:
    """Leave a room."""
    service.leave_room(current_person().actor, room_id)
    return redirect(url_for("rooms.index"))


@blueprint.post(f"/<{ID}:room_id>/commands")
@login_required
def run(room_id: int) -> Response:
    """Run a command that was written instead of a message. Pages with JavaScript emit `run_command`."""
    done = run_command(room_ref(room_id), current_person().actor, request.form.get("content"), current_clock())
    flash(done.notice)
    return redirect(url_for("rooms.index"), code=303) if done.is_over else _redirect_to_room(room_id)


@blueprint.get(f"/<{ID}:room_id>/settings")
@login_required
def edit(room_id: int) -> str:
    """Show the members of a room and, to its managers, its settings."""
    return _render_settings(room_id)


@blueprint.post(f"/<{ID}:room_id>/settings")
@login_required
def update(room_id: int) -> ViewResponse:
    """Save the settings of a room."""
    form = RoomForm()
    with form.show_errors():
        if form.validate():
            service.update_room(
                current_person().actor,
                room_id,
                form.text(form.name),
                form.text(form.topic),
                form.text(form.visibility),
            )
            flash("Settings saved.")
            return redirect(url_for("rooms.edit", room_id=room_id))
    return _render_settings(room_id, form=form), form.status


@blueprint.route(f"/<{ID}:room_id>/picture", methods=["GET", "POST"])
@login_required
def change_picture(room_id: int) -> ViewResponse:
    """Show the picture of a room to its managers, and change it."""
    person, form = current_person(), AvatarForm()
    room = authorize_avatar(db.session(), person.actor, room_ref(room_id))
    path = conversation_avatar_path(room.wire_name, room.avatar_digest)
    with form.show_errors(*AVATAR_ERRORS):
        if form.validate_on_submit():
            change_avatar(person.actor, room_ref(room_id), form.store(person.id))
            flash("The picture of the room was changed.")
            return redirect(url_for("rooms.edit", room_id=room_id))
    return form.page("rooms/picture.html", room=room, path=path)


@blueprint.post(f"/<{ID}:room_id>/picture/remove")
@login_required
def remove_picture(room_id: int) -> Response:
    """Remove the picture of a room."""
    change_avatar(current_person().actor, room_ref(room_id), None)
    flash("The picture of the room was removed.")
    return redirect(url_for("rooms.edit", room_id=room_id))


@blueprint.post(f"/<{ID}:room_id>/members")
@login_required
def invite(room_id: int) -> ViewResponse:
    """Add a user to a room."""
    form = InviteForm()
    with form.show_errors(RateLimited):
        if form.validate():
            names = service.invite(current_person().actor, room_id, form.username.data or ())
            flash(describe_added(names))
            return redirect(url_for("rooms.edit", room_id=room_id))
    return _render_settings(room_id, invite_form=form), form.status


@blueprint.post(f"/<{ID}:room_id>/members/<{ID}:user_id>/remove")
@login_required
def remove(room_id: int, user_id: int) -> Response:
    """Remove a member from a room."""
    service.remove(current_person().actor, room_id, user_id)
    return redirect(url_for("rooms.edit", room_id=room_id))


@blueprint.post(f"/<{ID}:room_id>/archive")
@login_required
def archive(room_id: int) -> Response:
    """Make a room read-only."""
    service.archive(current_person().actor, room_id)
    return _redirect_to_room(room_id)


@blueprint.post(f"/<{ID}:room_id>/restore")
@login_required
def restore(room_id: int) -> Response:
    """Undo the archiving of a room."""
    service.restore(current_person().actor, room_id)
    return _redirect_to_room(room_id)


def _find_access(room_id: int) -> ConversationAccess:
    return find_access(db.session(), room_ref(room_id), current_person().id)


def _redirect_to_room(room_id: int) -> Response:
    return redirect(url_for("rooms.show", room_id=room_id))


def _render_settings(room_id: int, form: RoomForm | None = None, invite_form: InviteForm | None = None) -> str:
    access = _find_access(room_id)
    room = authorize_reading(*access)
    return render_template(
        "rooms/edit.html",
        room=get_summary(db.session(), room),
        members=list_members(db.session(), room),
        may_manage=is_manager(access.membership),
        may_clear=kind_of(room).may_moderate(access.membership, is_admin=current_person().is_admin),
        message_count=room.message_count,
        suspended_webhooks=count_suspended_webhooks(db.session(), room.id),
        form=form or RoomForm(formdata=None, obj=room),
        invite_form=invite_form or InviteForm(formdata=None),
    )
