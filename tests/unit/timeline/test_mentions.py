import pytest

from chatapp.mention_names import find_names
from chatapp.models import Conversation, Membership
from chatapp.timeline.mentions import MentionSource


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("hello", set()),
        ("@ana", {"ana"}),
        ("hi @Ana, @BOB!", {"ana", "bob"}),
        ("(@ana) “@bob” @eve: @ana", {"ana", "bob", "eve"}),
        ("@ana.b-c_d and @x.", {"ana.b-c_d", "x"}),
        ("ana@example.com @ana@example.com", set()),
        ("https://example.com/@ana /@ana -@ana .@ana", set()),
        ("@ @. @-a @ána", set()),
        ("@" + "a" * 32 + " @" + "b" * 33, {"a" * 32}),
    ],
)
def test_names_after_an_at_sign_are_mentioned(content: str, names: set[str]):
    assert find_names(content) == names


@pytest.mark.parametrize(
    ("kind", "role", "is_to_all"),
    [("room", "manager", True), ("room", "member", False), ("general", "member", False), ("direct", "member", False)],
)
def test_only_a_manager_of_a_room_mentions_all(kind: str, role: str, is_to_all: bool):
    conversation = Conversation(id=1, kind=kind, visibility="private")
    membership = Membership(conversation_id=1, user_id=1, role=role)
    assert MentionSource(conversation, membership, 1, "@all lunch").is_to_all == is_to_all
    assert not MentionSource(conversation, membership, 1, "lunch for all").is_to_all
