"""The images that a model generates: they are stored as an upload of the asker is, and attached to the answer.

The limits of uploads apply to them, but not the quota of the asker, who cannot delete each answer.
"""

import binascii
from io import BytesIO

import structlog

from chatapp.assistants.running import RunningAnswer
from chatapp.concurrency.native import current_pools
from chatapp.config import current_settings
from chatapp.errors import ChatError, Invalid
from chatapp.files.upload_folder import Upload
from chatapp.files.uploads import check_file_count, delete_upload, upload_stream

log = structlog.get_logger(__name__)


def attach_image(answer: RunningAnswer, url: str) -> None:
    """Store the image of a `data:` URL, and attach it to the answer. If that fails, the answer has a notice.

    Each image counts, also one that is refused: beyond as many as a message may have files, they are ignored. A crash
    leaves an upload, which expires. Waits for native threads and a worker process.
    """
    max_files = current_settings().max_message_files
    if answer.images > max_files:
        return
    answer.images += 1
    try:
        check_file_count(answer.images, max_files)
        upload = _store(answer, url)
    except ChatError as error:
        log.warning("image of an answer refused", answer=answer.job.answer_id, reason=error.message)
        answer.notice = f"An image is missing. {error.message}"
        return
    if not answer.attach(upload):
        delete_upload(upload.id)


def _store(answer: RunningAnswer, url: str) -> Upload:
    """Store an image as an upload of the asker. Raises `Invalid`, and what `upload_stream` raises."""
    content = current_pools().files.run(decode_data_url, url)
    name = f"image-{len(answer.uploads) + 1}"
    upload = upload_stream(answer.job.asker.id, name, BytesIO(content), has_quota=False)
    if upload.file is None or upload.file.kind != "image":
        delete_upload(upload.id)
        raise Invalid("The model sent a file that is no picture that chatapp can show.")
    return upload


def decode_data_url(url: str) -> bytes:
    """Return the content of a `data:` URL with Base64, whatever type it names. Raises `Invalid`."""
    head, _, data = url.partition(",")
    if not head.lower().startswith("data:") or not head.lower().endswith(";base64"):
        raise Invalid("The model sent a link instead of a picture.")
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        raise Invalid("The model sent a damaged picture.") from None
