from datetime import UTC, datetime

import pytest

from chatapp.conversations.refs import GENERAL, room_ref
from chatapp.fallback import MAX_PAGE_MESSAGES, Fallback, RecentFacts
from chatapp.identity import AuthenticatedUser
from chatapp.models import Conversation
from chatapp.timeline import TimelineMessage

ANA = AuthenticatedUser(1, "ana", "Ana", True, 10, "token of ana")


@pytest.fixture
def fallback() -> Fallback:
    fallback = Fallback(60)
    fallback.start()
    return fallback


def message(version: int, *, seq: int | None = None, content: str = "") -> TimelineMessage:
    return TimelineMessage(
        conversation=GENERAL,
        sender=None,
        content=content,
        created_at=datetime.now(UTC),
        seq=seq or version,
        version=version,
    )


def general(last_event: int) -> Conversation:
    return Conversation(id=1, kind="general", last_event=last_event, floor=0)


def contents(fallback: Fallback) -> list[str]:
    page = fallback.find_page(GENERAL)
    assert page is not None
    return [each.content for each in page.messages]


def test_the_number_of_facts_is_bounded():
    facts: RecentFacts[int, str] = RecentFacts(2, 60)
    for key in (1, 2, 1, 3):
        facts.set(key, f"fact {key}")
    assert [facts.get(key) for key in (1, 2, 3)] == ["fact 1", None, "fact 3"]


def test_facts_expire():
    facts: RecentFacts[int, str] = RecentFacts(2, 0)
    facts.set(1, "fact")
    assert facts.get(1) is None


def test_a_login_is_remembered_without_its_token_and_without_the_rights_of_an_admin(fallback: Fallback):
    fallback.remember_login(ANA, fallback.revision)
    assert ANA.token not in repr(vars(fallback._logins))
    found = fallback.find_login(ANA.token)
    assert found is not None
    assert (found.id, found.token, found.is_admin) == (ANA.id, ANA.token, False)
    assert fallback.find_login("another token") is None


def test_nothing_is_remembered_without_an_evictor():
    fallback = Fallback(60)
    fallback.remember_login(ANA, 0)
    fallback.remember_access(1, GENERAL, 0, may_post=True)
    assert fallback.find_login(ANA.token) is fallback.find_access(1, GENERAL) is None


def test_a_revoked_fact_is_forgotten(fallback: Fallback):
    fallback.remember_login(ANA, fallback.revision)
    fallback.remember_access(1, GENERAL, fallback.revision, may_post=True)
    fallback.remember_access(1, room_ref(2), fallback.revision, may_post=False)
    fallback.revoke_logins([11])
    fallback.revoke_access(1, room_ref(2))
    assert fallback.find_login(ANA.token)
    assert (fallback.find_access(1, GENERAL), fallback.find_access(1, room_ref(2))) == (True, None)
    fallback.revoke_logins([10])
    assert fallback.find_login(ANA.token) is None
    fallback.revoke_all()
    assert fallback.find_access(1, GENERAL) is None


def test_the_last_login_of_a_user_takes_the_permissions_with_it(fallback: Fallback):
    elsewhere = AuthenticatedUser(1, "ana", "Ana", True, 11, "another token of ana")
    for login in (ANA, elsewhere):
        fallback.remember_login(login, fallback.revision)
    for user_id in (ANA.id, 2):
        fallback.remember_access(user_id, GENERAL, fallback.revision, may_post=True)
    fallback.revoke_logins([elsewhere.login_session_id])
    assert fallback.find_access(ANA.id, GENERAL)
    fallback.revoke_logins([ANA.login_session_id])
    assert (fallback.find_access(ANA.id, GENERAL), fallback.find_access(2, GENERAL)) == (None, True)


def test_a_fact_that_was_read_before_a_revocation_is_not_remembered_after_it(fallback: Fallback):
    revision = fallback.revision
    fallback.revoke_logins([10])
    fallback.remember_login(ANA, revision)
    fallback.remember_access(1, GENERAL, revision, may_post=True)
    assert fallback.find_login(ANA.token) is fallback.find_access(1, GENERAL) is None


def test_the_last_page_follows_the_events_of_its_conversation(fallback: Fallback):
    fallback.remember_page(general(1), "epoch", [message(1, content="one")], is_public=False)
    fallback.apply_event(message(2, content="two"))
    fallback.apply_event(message(3, seq=1, content="one, edited"))
    fallback.apply_event(message(2, content="two again"))
    assert contents(fallback) == ["one, edited", "two"]
    fallback.remember_page(general(2), "epoch", [message(1, content="stale")], is_public=False)
    assert contents(fallback) == ["one, edited", "two"]
    fallback.remember_page(general(1), "epoch of a restored backup", [message(1, content="restored")], is_public=False)
    assert contents(fallback) == ["restored"]


def test_the_last_page_is_forgotten_when_an_event_is_missing(fallback: Fallback):
    fallback.remember_page(general(1), "epoch", [message(1)], is_public=False)
    fallback.apply_event(message(3))
    assert fallback.find_page(GENERAL) is None


def test_the_last_page_is_bounded(fallback: Fallback):
    fallback.remember_page(general(0), "epoch", [], is_public=False)
    for version in range(1, 2 * MAX_PAGE_MESSAGES):
        fallback.apply_event(message(version))
    page = fallback.find_page(GENERAL)
    assert page is not None
    assert len(page.messages) == MAX_PAGE_MESSAGES


def events_after(fallback: Fallback, event: int, epoch: str = "epoch") -> list[str] | None:
    page = fallback.find_page(GENERAL)
    assert page is not None
    changed = page.find_events_after(event, epoch)
    return changed if changed is None else [each.content for each in changed]


def test_a_client_continues_from_the_last_page_if_it_has_all_that_changed_since(fallback: Fallback):
    fallback.remember_page(general(1), "epoch", [message(1, content="one")], is_public=False)
    fallback.apply_event(message(2, content="two"))
    fallback.apply_event(message(3, seq=1, content="one, edited"))
    assert events_after(fallback, 1) == ["two", "one, edited"]
    assert events_after(fallback, 3) == []
    assert events_after(fallback, 0) is None, "an event before the page was read may have changed an older message"
    assert events_after(fallback, 4) is None
    assert events_after(fallback, 1, epoch="epoch before a restore") is None


def test_a_client_does_not_continue_from_a_page_that_lacks_a_changed_message(fallback: Fallback):
    fallback.remember_page(general(5), "epoch", [message(5)], is_public=False)
    fallback.apply_event(message(6, seq=2, content="edited"))
    assert events_after(fallback, 5) is None
    for version in range(7, 7 + MAX_PAGE_MESSAGES):
        fallback.apply_event(message(version))
    assert len(events_after(fallback, 6) or []) == MAX_PAGE_MESSAGES
    fallback.apply_event(message(7 + MAX_PAGE_MESSAGES))
    assert events_after(fallback, 6) is None


def test_messages_that_a_cleanup_of_another_process_removed_are_forgotten(fallback: Fallback):
    fallback.remember_page(general(2), "epoch", [message(1, content="removed"), message(2)], is_public=False)
    fallback.check_page(GENERAL, last_event=2, floor=0)
    assert fallback.find_page(GENERAL)
    fallback.check_page(GENERAL, last_event=2, floor=2)
    assert fallback.find_page(GENERAL) is None


def test_a_page_without_the_messages_that_were_restored_from_the_archive_is_forgotten(fallback: Fallback):
    cleared = general(3)
    cleared.floor = 2
    fallback.remember_page(cleared, "epoch", [message(3)], is_public=False)
    fallback.check_page(GENERAL, last_event=5, floor=0)
    assert fallback.find_page(GENERAL) is None


def test_a_page_that_was_read_after_a_cleanup_replaces_the_one_from_before(fallback: Fallback):
    fallback.remember_page(general(2), "epoch", [message(1), message(2)], is_public=False)
    cleared = general(2)
    cleared.floor = 2
    fallback.remember_page(cleared, "epoch", [], is_public=False)
    assert contents(fallback) == []


def test_a_page_that_lacks_events_since_the_heartbeat_before_is_forgotten(fallback: Fallback):
    fallback.remember_page(general(1), "epoch", [message(1)], is_public=False)
    fallback.check_page(GENERAL, last_event=2, floor=0)
    assert fallback.find_page(GENERAL), "the event may be on its way"
    fallback.check_page(GENERAL, last_event=2, floor=0)
    assert fallback.find_page(GENERAL) is None
