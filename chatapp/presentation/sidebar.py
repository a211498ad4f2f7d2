"""The list of conversations beside every page. Its HTML is cached for each person.

Each request reads the rows that it shows, with one query. As long as they are equal to those of the last request, so is
the HTML. The unread counts and the names of people depend on nothing else than the rows.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import Flask, current_app, request
from markupsafe import Markup, escape

from chatapp.conversations.preferences import Preferences, list_preferences
from chatapp.conversations.sidebar import NO_COUNTS, SidebarCounts, SidebarRow, list_sidebar
from chatapp.extensions import db
from chatapp.identity import AuthenticatedUser
from chatapp.models import Conversation
from chatapp.presentation.kinds import ConversationPage, pages_of
from chatapp.timeline.read_markers import ReadState
from chatapp.timeline.read_state import list_read_states

EXTENSION = "chatapp.sidebars"
"""Key of the application's `Sidebars` in `app.extensions`."""

MAX_SIDEBARS = 1_000
"""Maximum number of people whose sidebar is cached: about 20 MB."""

TEMPLATE = "layout/_sidebar.html"

COLLAPSED_COOKIE = "chatapp_collapsed"
"""Name of the cookie with the names of collapsed sections, joined by dots: see `static/js/sidebar_sections.js`."""

MAX_SECTIONS = 4


@dataclass(frozen=True, slots=True)
class ConversationItem:
    """A conversation in a list."""

    page: ConversationPage
    read_state: ReadState | None
    """The viewer's, if they are a member."""
    preferences: Preferences

    @property
    def conversation(self) -> Conversation:
        """The row."""
        return self.page.conversation

    @property
    def unread(self) -> int:
        """The number of unread messages."""
        return self.read_state.unread if self.read_state else 0

    @property
    def mentions(self) -> int:
        """The number of unread messages that mention the viewer."""
        return self.read_state.mentions if self.read_state else 0

    @property
    def section(self) -> str:
        """The section of the sidebar that shows it."""
        return "favorites" if self.preferences.is_favorite else self.page.sidebar_section

    @property
    def is_listed(self) -> bool:
        """Whether the sidebar shows it: the shared conversation of a former assistant only if it has messages."""
        return bool(self.page.assistant or self.conversation.message_count)


@dataclass(frozen=True, slots=True)
class Sidebar:
    """What one person's sidebar shows."""

    rows: Sequence[SidebarRow] = ()
    counts: SidebarCounts = NO_COUNTS
    items: Mapping[SidebarRow, ConversationItem] = field(default_factory=dict)
    html: str = ""


class Sidebars:
    """The sidebars of an application. That of the person who was away for longest is evicted first."""

    def __init__(self, app: Flask) -> None:
        self._environment = app.jinja_env
        self._sidebars: OrderedDict[int, Sidebar] = OrderedDict()

    def render(self, viewer: AuthenticatedUser) -> str:
        """Return the HTML of a person's sidebar."""
        rows, counts = list_sidebar(db.session(), viewer.id)
        sidebar = self._sidebars.get(viewer.id) or Sidebar()
        if (sidebar.rows, sidebar.counts) != (rows, counts) or self._environment.auto_reload:
            items = {row: item for row, item in sidebar.items.items() if row in rows}
            missing = [row for row in rows if row not in items]
            items |= zip(missing, _make_items_of_rows(viewer, missing), strict=True)
            html = self.render_items([items[row] for row in rows], counts)
            sidebar = Sidebar(rows, counts, items, html)
            self._sidebars[viewer.id] = sidebar
            if len(self._sidebars) > MAX_SIDEBARS:
                self._sidebars.popitem(last=False)
        self._sidebars.move_to_end(viewer.id)
        return sidebar.html

    def render_items(self, items: Sequence[ConversationItem], counts: SidebarCounts = NO_COUNTS) -> str:
        """Render a sidebar with these conversations, and other numbers."""
        sections: dict[str, list[ConversationItem]] = {}
        for item in items:
            sections.setdefault(item.section, []).append(item)
        sections.get("favorites", []).sort(key=lambda item: item.page.title.casefold())
        mentions = sum(item.mentions for item in items)
        return self._environment.get_template(TEMPLATE).render(sections=sections, counts=counts, mentions=mentions)


def init_sidebars(app: Flask) -> None:
    """Create the application's `Sidebars`."""
    app.extensions[EXTENSION] = Sidebars(app)


def current_sidebars() -> Sidebars:
    """Return the `Sidebars` of the current application."""
    sidebars: Sidebars = current_app.extensions[EXTENSION]
    return sidebars


def adapt_to_request(html: str) -> Markup:
    """Mark the link of a sidebar to the current page, and the sections that the browser's user has collapsed."""
    link = f'<a href="{escape(request.path)}"'
    html = html.replace(link, f'{link} aria-current="page"', 1)
    for section in request.cookies.get(COLLAPSED_COOKIE, "").split(".")[:MAX_SECTIONS]:
        button = f'<button data-section="{escape(section)}"'
        html = html.replace(button, f'{button} aria-expanded="false"', 1)
    return Markup(html)  # noqa: S704 - a template has rendered it


def conversation_items(viewer: AuthenticatedUser, conversations: Sequence[Conversation]) -> list[ConversationItem]:
    """Return conversations as lists show them, with the viewer's read state and preferences."""
    return _make_items(viewer, conversations, list_preferences(db.session(), viewer.id, conversations))


def _make_items(
    viewer: AuthenticatedUser, conversations: Sequence[Conversation], preferences: Mapping[int, Preferences]
) -> list[ConversationItem]:
    states = list_read_states(db.session(), viewer.id, [conversation.id for conversation in conversations])
    return [
        ConversationItem(shown, states.get(shown.conversation.wire_name), preferences[shown.conversation.id])
        for shown in pages_of(db.session(), conversations, viewer.id)
    ]


def _make_items_of_rows(viewer: AuthenticatedUser, rows: Sequence[SidebarRow]) -> list[ConversationItem]:
    return _make_items(viewer, [row.to_conversation() for row in rows], {row.id: row.preferences for row in rows})
