"""Events of uploads."""

from pydantic import StrictStr

from chatapp.files.uploads import create_upload
from chatapp.presentation.uploads import present_upload
from chatapp.realtime.handlers import Ack, Caller, EventNumber, Payload, handles


class CreateUploadPayload(Payload):
    """Payload of `create_upload`."""

    name: StrictStr
    size: EventNumber


@handles("create_upload", CreateUploadPayload)
def create(caller: Caller, payload: CreateUploadPayload) -> Ack:
    """Begin an upload."""
    return {"upload": present_upload(create_upload(caller.user.id, payload.name, payload.size))}
