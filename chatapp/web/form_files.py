"""Files that forms contain."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import request

from chatapp.config import current_settings
from chatapp.files.attached import AttachedFile
from chatapp.files.uploads import check_file_count, delete_uploads, find_complete, upload_stream


@contextmanager
def stored_form_files(user_id: int) -> Iterator[tuple[AttachedFile, ...]]:
    """Store the files of the form of the request as uploads of a user, and return them.

    The uploads are deleted after the body, which stores a message with the files: if it fails, nobody can send them.

    Raises `Invalid` for too many, and what `create_upload` and `append` raise.
    """
    # A browser sends an empty one if nothing was chosen.
    chosen = [file for file in request.files.getlist("file") if file.filename]
    check_file_count(len(chosen), current_settings().max_message_files)
    upload_ids: list[str] = []
    try:
        for posted in chosen:
            upload = upload_stream(user_id, posted.filename or "", posted.stream)
            upload_ids.append(upload.id)  # At once: the next one may be refused.
        yield find_complete(user_id, upload_ids, [""] * len(upload_ids)) if upload_ids else ()
    finally:
        delete_uploads(upload_ids)
