"""Uploads as programs see them."""

from chatapp.files.upload_folder import Upload
from chatapp.presentation.resources import Upload as UploadResource


def present_upload(upload: Upload) -> UploadResource:
    """Return an upload for its user. The id is a secret."""
    return {"id": upload.id, "url": f"/uploads/{upload.id}", "size": upload.size}
