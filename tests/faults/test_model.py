"""Random sequences of posts, changes, catch-ups and cleanups, compared with a simple model."""

import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import upgrade
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chatapp import create_app
from chatapp.accounts.service import create_owner
from chatapp.actors import Actor
from chatapp.config import ROOT, Settings
from chatapp.conversations.refs import GENERAL
from chatapp.extensions import db
from chatapp.models import Conversation
from chatapp.timeline import TimelineMessage, catch_up, cleanup, delete, edit, post, react, read_page, reading
from chatapp.timeline.cleanup import plan_trim, trim

pytestmark = pytest.mark.faults

TEMPLATE = Path(tempfile.mkdtemp())


class Client:
    """A page that merges the results of catch-ups."""

    def __init__(self) -> None:
        self.cursor: int | None = None
        self.epoch: str | None = None
        self.first = 1
        self.shown: dict[int, TimelineMessage] = {}

    def catch_up(self) -> None:
        """Request catch-ups until none is missing."""
        while self._request():
            pass

    def _request(self) -> bool:
        conversation = db.session.get_one(Conversation, GENERAL.id)
        missed = catch_up(db.session(), conversation, after=self.cursor, epoch=self.epoch)
        if missed.is_reset:
            self.shown.clear()
            self.first = min((message.seq or 0 for message in missed.messages), default=missed.end + 1)
        for message in missed.messages:
            assert message.seq is not None
            if message.seq >= self.first:  # A change of a message that is not on the page does not add it.
                self.shown[message.seq] = message
        self.shown = {seq: message for seq, message in self.shown.items() if seq > missed.head.floor}
        self.cursor, self.epoch = missed.end, missed.epoch
        db.session.close()
        return missed.has_more


class Timeline(RuleBasedStateMachine):
    """The general chat, and the expected state."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copytree(template(), self.folder, dirs_exist_ok=True)
        self.app = create_app(Settings(data_dir=self.folder, reactions_per_minute=0, log_level="ERROR"))
        self.context = self.app.app_context()
        self.context.push()
        self.actor = Actor(1)
        self.events = 0
        self.model: dict[int, tuple[str, int, frozenset[str]]] = {}
        self.keys: dict[str, int] = {}
        self.clients = [Client() for _ in range(3)]

    @rule(content=st.text("abc", min_size=1, max_size=5))
    def post(self, content: str) -> None:
        key = str(uuid.uuid4())
        message = post(GENERAL, self.actor, content=content, client_id=key)
        self.events += 1
        assert (message.seq, message.version) == (self.events, self.events)
        self.model[self.events] = (content, self.events, frozenset())
        self.keys[key] = self.events

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        if self.keys:
            key = data.draw(st.sampled_from(list(self.keys)))
            again = post(GENERAL, self.actor, content="again", client_id=key)
            assert again.seq == self.keys[key]

    def draw_message(self, data: st.DataObject) -> int | None:
        alive = [seq for seq, (content, _, _) in self.model.items() if content]
        return data.draw(st.sampled_from(alive)) if alive else None

    @rule(data=st.data(), content=st.text("xyz", min_size=1, max_size=5))
    def edit(self, data: st.DataObject, content: str) -> None:
        if (seq := self.draw_message(data)) is not None and self.model[seq][0] != content:
            edit(GENERAL, self.actor, seq, content=content)
            self.record_change(seq, content=content)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        if (seq := self.draw_message(data)) is not None:
            delete(GENERAL, self.actor, seq)
            self.record_change(seq, content="", reactions=frozenset())

    @rule(data=st.data(), reaction=st.sampled_from("👍🎉"))
    def react(self, data: st.DataObject, reaction: str) -> None:
        if (seq := self.draw_message(data)) is not None:
            had = self.model[seq][2]
            react(GENERAL, self.actor, seq, reaction, on=reaction not in had)
            self.record_change(seq, reactions=had ^ {reaction})

    def record_change(self, seq: int, **parts: Any) -> None:
        content, _, reactions = self.model[seq]
        self.events += 1
        self.model[seq] = (parts.get("content", content), self.events, parts.get("reactions", reactions))

    @rule(keep=st.integers(1, 5))
    def clean_up(self, keep: int) -> None:
        conversation = db.session.get_one(Conversation, GENERAL.id)
        removed = sum(trim(plan_trim(db.session(), conversation, keep)))
        assert removed == max(0, len(self.model) - keep)
        self.model = dict(sorted(self.model.items())[-keep:])

    @rule(number=st.integers(0, 2))
    def resume(self, number: int) -> None:
        client = self.clients[number]
        client.catch_up()
        shown = {
            seq: (each.content, each.version, frozenset(group.reaction for group in each.reactions))
            for seq, each in client.shown.items()
        }
        # Messages before the page of the last reset are not shown. The others equal the model.
        assert shown == {seq: message for seq, message in self.model.items() if seq >= client.first}
        assert sorted(shown)[-10:] == sorted(self.model)[-10:]

    @invariant()
    def the_page_is_the_model(self) -> None:
        conversation = db.session.get_one(Conversation, GENERAL.id)
        assert conversation.last_event == self.events
        shown = [(each.seq, each.content) for each in read_page(db.session(), conversation, limit=1000).messages]
        assert shown == [(seq, content) for seq, (content, _, _) in sorted(self.model.items())]
        db.session.close()

    def teardown(self) -> None:
        if hasattr(self, "context"):
            db.engine.dispose()
            self.app.extensions["chatapp.writer"].stop(5)
            self.context.pop()
            shutil.rmtree(self.folder)


def template() -> Path:
    """Return a data folder of an installation with its owner, created once."""
    if not (TEMPLATE / "chatapp.sqlite3").exists():
        app = create_app(Settings(data_dir=TEMPLATE, log_level="ERROR"))
        with app.app_context():
            upgrade(str(ROOT / "migrations"))
            create_owner("ana", "Ana", "a good password")
            app.extensions["chatapp.writer"].stop(5)
            db.engine.dispose()
    return TEMPLATE


# Without shrinking, which takes minutes: the first failure is informative enough.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)

Timeline.TestCase.settings = settings(max_examples=25, stateful_step_count=50, deadline=None, phases=PHASES)


class TestTimeline(Timeline.TestCase):  # type: ignore[misc, valid-type]  # Hypothesis creates it
    """Run the machine."""

    @pytest.fixture(autouse=True)
    def small_scale(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Lower the limits, so that dozens of events reach them instead of thousands."""
        monkeypatch.setattr(reading, "CATCH_UP_SIZE", 4)
        monkeypatch.setattr(reading, "MAX_CATCH_UP_EVENTS", 25)
        monkeypatch.setattr(cleanup, "BATCH_MESSAGES", 3)
