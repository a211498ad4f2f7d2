"""Files that forms contain."""

from flask import request

from chatapp.config import current_settings
from chatapp.files.attached import AttachedFile
from chatapp.files.uploads import check_file_count, find_complete, upload_stream


def store_form_files(user_id: int) -> tuple[AttachedFile, ...]:
    """Store the files of the form of the request as uploads of a user, and return them.

    Raises `Invalid` for too many, and what `create_upload` and `append` raise.
    """
    # A browser sends an empty one if nothing was chosen.
    chosen = [file for file in request.files.getlist("file") if file.filename]
    check_file_count(len(chosen), current_settings().max_message_files)
    upload_ids = [upload_stream(user_id, posted.filename or "", posted.stream).id for posted in chosen]
    return find_complete(user_id, upload_ids, [""] * len(upload_ids)) if upload_ids else ()
