"""Fixtures of tests of what pages show."""

import pytest

from chatapp import create_app
from chatapp.config import Settings
from chatapp.presentation.messages import MessagePresenter, get_message_presenter


@pytest.fixture(scope="module")
def presenter(tmp_path_factory: pytest.TempPathFactory) -> MessagePresenter:
    """The presenter of an application of each module."""
    return get_message_presenter(create_app(Settings(data_dir=tmp_path_factory.mktemp("data"))))
