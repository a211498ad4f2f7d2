// Entry point: starts what lives as long as the window, and the page that it shows first.

import { preventFileNavigation } from "./attachments.js";
import { CharacterKeys } from "./character_keys.js";
import { showConnectionStatus } from "./connection_status.js";
import { followState } from "./conversation_state.js";
import { Connection, MAX_RECONNECT_DELAY_MS, REQUEST_TIMEOUT_MS } from "./core/connection.js";
import { FallbackStorage } from "./core/fallback_storage.js";
import { Outbox } from "./core/outbox.js";
import { sendOutbox } from "./core/outbox_sender.js";
import { RecentPages } from "./core/recent_pages.js";
import { Uploads } from "./core/uploads.js";
import { afterFrame, find } from "./dom.js";
import { JumpDialog } from "./jump_dialog.js";
import { enableDateFields } from "./date_fields.js";
import { MarkAllRead, markReadBy } from "./mark_all_read.js";
import { followCustomEmoji } from "./custom_emoji.js";
import { Drafts, markDrafts } from "./drafts.js";
import { showMoreUnread } from "./more_unread.js";
import { EmojiPicker } from "./emoji_picker.js";
import { enableFileLimits } from "./file_limits.js";
import { enablePictures } from "./file_pictures.js";
import { enableFormatting } from "./formatting.js";
import { announcePages, focusPage, Navigator } from "./navigation.js";
import { NotificationSettingsStore } from "./notification_settings.js";
import { Notifications } from "./notifications.js";
import { showOutageNotice } from "./outage_notice.js";
import { Page } from "./page.js";
import { enableMarkdownPaste } from "./paste.js";
import { enablePreview } from "./preview.js";
import { enablePreferences } from "./preferences_form.js";
import { decodePath } from "./paths.js";
import { enablePictureLinks } from "./picture_links.js";
import { trackPresence } from "./presence.js";
import { refreshQuotes, revalidateQuotes } from "./quotes.js";
import { onLocalTimeChange, storeReaderClock } from "./reader_clock.js";
import { followSaved } from "./saved_messages.js";
import { followScheduled } from "./scheduled_list.js";
import { Screen } from "./screen.js";
import { enableSearch } from "./search.js";
import { Sidebar } from "./sidebar.js";
import { SignedInPerson } from "./signed_in_person.js";
import { enableCollapsing } from "./sidebar_sections.js";
import { io } from "./socket_io.js";
import { UnreadBadges } from "./unread_badges.js";
import { enableMediaResumption } from "./media_resumption.js";
import { createUploadServer } from "./upload_server.js";
import { openTab, openUploadStorage } from "./upload_storage.js";
import { enableShortcuts } from "./window_shortcuts.js";

const userId = Number(document.body.dataset.userId);
let wasConnected = false;
const connection = new Connection(
  io({
    // The cookie may belong to another account by now: the server compares, and refuses with "signed_out".
    // What happened before the first connection was not received: the server compares that with the age of the page.
    auth: (send) => send({ user_id: userId, ...(wasConnected ? {} : { page_age_ms: pageAgeMs() }) }),
    // Behind several workers, the requests of a polling session would not all reach the same one.
    transports: "websocketOnly" in document.body.dataset ? ["websocket"] : ["websocket", "polling"],
    tryAllTransports: true,
    timeout: REQUEST_TIMEOUT_MS,
    reconnectionDelay: 500,
    reconnectionDelayMax: MAX_RECONNECT_DELAY_MS,
  }),
);
/** Shared by all tabs; survives a restart of the browser. */
const browserStorage = new FallbackStorage(() => localStorage);
const outbox = new Outbox(browserStorage, userId);
/** Belongs to this tab; survives a reload. */
const tabStorage = new FallbackStorage(() => sessionStorage);
const tab = openTab(tabStorage);
const uploads = new Uploads(createUploadServer(connection), openUploadStorage(userId, tab), tab);

// A page that the browser has kept for its back button may be that of somebody who has signed out since.
const [timing] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
let isKeptPage = timing?.type === "back_forward";
window.addEventListener("pageshow", ({ persisted }) => {
  isKeptPage ||= persisted;
});
connection.watchState((state) => {
  wasConnected ||= state === "connected";
  if (state === "signed-out" && isKeptPage) location.reload();
});

/** Milliseconds since the page was requested, after redirects. One that the browser has kept may have any age. */
function pageAgeMs() {
  return isKeptPage ? Number.MAX_SAFE_INTEGER : performance.now() - (timing?.fetchStart ?? 0);
}

storeReaderClock();
// Before what loads parts of pages again.
onLocalTimeChange(storeReaderClock);
const page = new Page(document, location.pathname + location.search, connection);
const sidebar = new Sidebar(connection, tabStorage);
enableCollapsing(sidebar);
sidebar.revealCurrent();
const badges = new UnreadBadges(connection, sidebar, userId);
const notificationSettings = new NotificationSettingsStore(browserStorage, userId);
const characterKeys = new CharacterKeys(browserStorage);
const drafts = new Drafts(tabStorage, connection, userId);
const screen = new Screen(page, {
  userId,
  connection,
  outbox,
  uploads,
  notificationSettings,
  characterKeys,
  emojiPicker: new EmojiPicker(browserStorage),
  drafts,
});
showConnectionStatus(connection, screen);
followState(sidebar, badges, screen);
followScheduled(screen, sidebar, connection);
enablePreferences(sidebar);
followSaved(screen, connection);
followCustomEmoji(connection, screen);
// After the frame that shows the page: changing the title takes the browser longer than most of the rest.
screen.on("shown", ({ title }) => afterFrame(() => badges.setPageTitle(title)));
new Notifications(connection, sidebar, userId, notificationSettings);
trackPresence(connection, sidebar, screen);
showMoreUnread(sidebar, badges);
markDrafts(drafts, sidebar, screen, connection);
showOutageNotice(screen, connection);
connection.on("message_changed", ({ conversation, seq }) => refreshQuotes(conversation, seq));
screen.on("shown", revalidateQuotes);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && revalidateQuotes());
new SignedInPerson(browserStorage, userId, connection).onReplaced(() => {
  drafts.forget();
  uploads.forget();
  location.reload();
});
const recentPages = new RecentPages(browserStorage, userId);
recentPages.add(decodePath(location.pathname));
screen.on("shown", () => {
  const path = decodePath(location.pathname);
  afterFrame(() => recentPages.add(path));
});
find(document, "[data-sign-out]").addEventListener("submit", () => recentPages.clear());
connection.watchState((state) => state === "signed-out" && recentPages.clear());
connection.watchState((state) => state === "signed-out" && uploads.forget());
connection.watchState((state) => state === "connected" && uploads.wake());
const jumpDialog = new JumpDialog(sidebar, recentPages);
const markAllRead = new MarkAllRead(sidebar, screen, connection);
markReadBy(screen);
enableDateFields();
enableFileLimits();
enableFormatting(screen);
enableMarkdownPaste();
enablePreview();
enableSearch(screen);
enableShortcuts({ screen, sidebar, jumpDialog, markAllRead, characterKeys });
announcePages(screen);
focusPage(page.main);
if ("navigation" in window) {
  const navigator = new Navigator(screen, sidebar, connection);
  if (isKeptPage) navigator.restorePosition();
}
// Only in pages with HTTPS, or of this machine. It must not compete with the page for the network.
if ("serviceWorker" in navigator) {
  window.addEventListener("load", () => navigator.serviceWorker.register("/service-worker.js").catch(() => null));
}
window.addEventListener("storage", ({ key }) => outbox.onStorageChange(key));
sendOutbox(outbox, connection, uploads);
outbox.on("change", () => uploads.removeOthers(outbox.entries));
uploads.load(outbox.entries);
preventFileNavigation();
enablePictureLinks();
enableMediaResumption();
enablePictures();
// Unsent messages wait in the browser until the next visit: ask before the page is closed.
window.addEventListener("beforeunload", (event) => {
  if (outbox.queue.length > 0 || uploads.hasUnkept) event.preventDefault();
});
