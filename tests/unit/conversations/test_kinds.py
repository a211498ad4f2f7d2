import pytest

from chatapp.conversations.kinds import AssistantSession, ConversationKind, Direct, General, Room, SharedAssistant


@pytest.mark.parametrize("kind", [General, Room, Direct, SharedAssistant, AssistantSession])
def test_conditions_have_no_parameters_for_which_sqlite_would_plan_statements_anew(
    kind: type[ConversationKind],
) -> None:
    assert kind.condition().compile().params == {}
