"""Images that a model generates: they are files of its answer."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from tests.harness.assistants import shared_conversation, wait_for_answer
from tests.harness.html import text
from tests.harness.media import draw, encode
from tests.harness.models import EventServer, write_assistants
from tests.harness.people import NewPerson
from tests.harness.servers import NewServer
from tests.harness.stored_files import delete_uploads, file_store, let_hours_pass
from tests.harness.waiting import eventually


def delta(content: bytes, media_type: str = "image/png") -> dict[str, Any]:
    """Return a part of an answer with an image, as OpenRouter and LiteLLM send it."""
    url = f"data:{media_type};base64,{base64.b64encode(content).decode()}"
    return {"images": [{"type": "image_url", "index": 0, "image_url": {"url": url}}]}


def test_an_image_of_an_answer_is_its_file_for_all_readers_and_the_model_sees_it_again(
    new_server: NewServer, new_person: NewPerson, database_url: str, tmp_path: Path
) -> None:
    with EventServer([{"content": "A sun."}, delta(encode(draw(37), "PNG"), "text/plain")]) as model:
        file = write_assistants(tmp_path / "assistants.toml", model.url, vision=True, images=True)
        server = new_server(database_url=database_url, CHATAPP_ASSISTANTS_FILE=str(file)).start()
        ana, bob = (new_person(server, name) for name in ("ana", "bob"))
        conversation, socket, other = shared_conversation(server), ana.connect(), bob.connect()
        for each in (socket, other):
            each.join(conversation)
        socket.post("draw a sun", conversation)
        answer = wait_for_answer(other, conversation)
        assert (answer["state"], answer["content"], answer["problem"]) == ("complete", "A sun.", None)
        (shown,) = answer["files"]
        assert (shown["name"], shown["type"], shown["width"]) == ("image-1.png", "image/png", 37)
        assert shown["small_url"] in answer["html"]
        assert Image.open(BytesIO(bob.get(shown["url"]).content)).width == 37
        listed = bob.api().get(f"/conversations/{conversation}/files").json()["files"]
        assert [each["file"]["name"] for each in listed] == ["image-1.png"]
        assert "A sun." in bob.api().get("/search", params={"q": "has:file"}).text
        assert listed[0]["sender"] is None
        assert text(bob.get(f"/conversations/{conversation}/files").text, ".file-source bdi") == "Model"
        assert server.rows("SELECT user_id FROM attachments") == [(None,)], "it counts in nobody's quota"
        eventually(lambda: not [*(server.data_dir / "uploads").iterdir()], "the upload is deleted")

        socket.post("make it blue", conversation)
        wait_for_answer(socket, conversation, 2)
        assert model.requests[0]["modalities"] == ["image", "text"]
        turns = model.requests[1]["messages"]
        assert turns[-2]["content"].startswith("A sun.\n[File: image-1.png (image/png")
        assert [part["type"] for part in turns[-1]["content"]] == ["text", "image_url"]

        # Another answer replaces the file, and a deleted one has none.
        assert "files" not in socket.call("answer_again", {"conversation": conversation, "seq": 2})["message"]
        eventually(lambda: len(model.requests) == 3, "the model is asked again")
        eventually(lambda: server.rows("SELECT 1 FROM messages WHERE seq = 2 AND state = 'complete'"))
        assert server.rows("SELECT count(*) FROM attachments") == [(2,)]
        assert socket.call("delete_message", {"conversation": conversation, "seq": 2})["ok"]
        assert server.rows("SELECT count(*) FROM attachments") == [(1,)]


def test_a_killed_server_leaves_an_interrupted_answer_and_no_file(
    new_server: NewServer, new_person: NewPerson, tmp_path: Path
) -> None:
    with EventServer([{"content": "A sun."}, delta(encode(draw(), "PNG")), {"content": " And"}], ends=False) as model:
        file = write_assistants(tmp_path / "assistants.toml", model.url, images=True)
        server = new_server(CHATAPP_ASSISTANTS_FILE=str(file)).start()
        ana, conversation = new_person(server, "ana"), shared_conversation(server)
        socket = ana.connect()
        socket.join(conversation)
        socket.post("draw a sun", conversation)
        eventually(lambda: server.rows("SELECT 1 FROM messages WHERE content = 'A sun. And'"), "the image has arrived")
        assert len([*file_store(server).list_digests()]) == 1
        server.kill()
        server.start()
        eventually(lambda: server.rows("SELECT 1 FROM messages WHERE state = 'interrupted'"))
        assert server.rows("SELECT count(*) FROM attachments") == [(0,)]
        server.terminate()
        delete_uploads(server)
        server.flask("files", "sweep")
        let_hours_pass(server)
        server.flask("files", "sweep")
        assert not [*file_store(server).list_digests()]
