"""The pages of rooms."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from chatapp.conversations.kinds import is_manager
from chatapp.conversations.names import room_name
from chatapp.conversations.policy import authorize_reading, authorize_viewing
from chatapp.conversations.queries import ConversationAccess, find_access, get_summary
from chatapp.extensions import db
from chatapp.identity import current_person, login_required
from chatapp.presentation.conversations import render_conversation
from chatapp.presentation.forms import ViewResponse
from chatapp.presentation.urls import ID
from chatapp.rooms import service
from chatapp.rooms.forms import InviteForm, RoomForm
from chatapp.rooms.queries import list_members, list_rooms

blueprint = Blueprint("rooms", __name__, url_prefix="/rooms")


@blueprint.get("")
@login_required
def index() -> str:
    """List the rooms."""
    mine, joinable, archived = list_rooms(db.session(), current_person().id)
    return render_template("rooms/index.html", my_rooms=mine, open_rooms=joinable, archived_rooms=archived)


@blueprint.route("/new", methods=["GET", "POST"])
@login_required
def new() -> ViewResponse:
    """Make a room."""
    form = RoomForm()
    with form.show_errors():
        if form.validate_on_submit():
            room_id = service.create_room(
                current_person().actor, form.text(form.name), form.text(form.topic), form.text(form.visibility)
            )
            return _to_room(room_id)
    return form.page("rooms/new.html")


@blueprint.get(f"/<{ID}:room_id>")
@login_required
def show(room_id: int) -> str:
    """Show a room to its members, and to others the way into it."""
    place = _place(room_id)
    room = authorize_viewing(*place)
    if place.membership is None:
        return render_template("rooms/join.html", room=get_summary(db.session(), room))
    return render_conversation(place, before=request.args.get("before"))


@blueprint.post(f"/<{ID}:room_id>/membership")
@login_required
def join(room_id: int) -> Response:
    """Join an open room."""
    service.join_room(current_person().actor, room_id)
    return _to_room(room_id)


@blueprint.post(f"/<{ID}:room_id>/membership/end")
@login_required
def leave(room_id: int) -> Response:
    """Leave a room."""
    service.leave_room(current_person().actor, room_id)
    return redirect(url_for("rooms.index"))


@blueprint.get(f"/<{ID}:room_id>/settings")
@login_required
def edit(room_id: int) -> str:
    """Show a room's members and, to its managers, its settings."""
    return _render_settings(room_id)


@blueprint.post(f"/<{ID}:room_id>/settings")
@login_required
def update(room_id: int) -> ViewResponse:
    """Save a room's settings."""
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
            flash("The room's settings are saved.")
            return redirect(url_for("rooms.edit", room_id=room_id))
    return _render_settings(room_id, form=form), form.status


@blueprint.post(f"/<{ID}:room_id>/members")
@login_required
def invite(room_id: int) -> ViewResponse:
    """Invite a person into a room."""
    form = InviteForm()
    with form.show_errors():
        if form.validate():
            name = service.invite(current_person().actor, room_id, form.text(form.username))
            flash(f"{name} was added to the room.")
            return redirect(url_for("rooms.edit", room_id=room_id))
    return _render_settings(room_id, invite_form=form), form.status


@blueprint.post(f"/<{ID}:room_id>/members/<{ID}:user_id>/remove")
@login_required
def remove(room_id: int, user_id: int) -> Response:
    """Remove a person from a room."""
    service.remove(current_person().actor, room_id, user_id)
    return redirect(url_for("rooms.edit", room_id=room_id))


@blueprint.post(f"/<{ID}:room_id>/archive")
@login_required
def archive(room_id: int) -> Response:
    """Make a room read only."""
    service.archive(current_person().actor, room_id)
    return _to_room(room_id)


@blueprint.post(f"/<{ID}:room_id>/restore")
@login_required
def restore(room_id: int) -> Response:
    """Open an archived room for writing again."""
    service.restore(current_person().actor, room_id)
    return _to_room(room_id)


def _place(room_id: int) -> ConversationAccess:
    return find_access(db.session(), room_name(room_id), current_person().id)


def _to_room(room_id: int) -> Response:
    return redirect(url_for("rooms.show", room_id=room_id))


def _render_settings(room_id: int, form: RoomForm | None = None, invite_form: InviteForm | None = None) -> str:
    place = _place(room_id)
    room = authorize_reading(*place)
    return render_template(
        "rooms/edit.html",
        room=get_summary(db.session(), room),
        members=list_members(db.session(), room),
        may_manage=is_manager(place.membership),
        form=form or RoomForm(formdata=None, obj=room),
        invite_form=invite_form or InviteForm(formdata=None),
    )
