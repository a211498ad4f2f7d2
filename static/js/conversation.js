// The page of a conversation: connects the modules that make up its message list and composer.

import { addAnswerControls, addAnswerCopyButtons, streamAnswers } from "./assistant_answers.js";
import { Attachments, enableDropping } from "./attachments.js";
import { AutoScroller } from "./auto_scroller.js";
import { Composer } from "./composer.js";
import { Timeline } from "./core/timeline.js";
import { showCustomEmoji } from "./custom_emoji.js";
import { closest, find } from "./dom.js";
import { enableReminders, enableSendLater } from "./due_menu.js";
import { keepPictures } from "./file_pictures.js";
import { enableFolding } from "./folding.js";
import { ForwardDialog } from "./forward_dialog.js";
import { enableHistoryLoading } from "./history_loading.js";
import { enablePreviewRemoval } from "./link_previews.js";
import { enableAutocomplete } from "./autocomplete.js";
import { completeCommands } from "./command_completion.js";
import { emojiCompletion } from "./emoji_completion.js";
import { completeMentions } from "./mention_completion.js";
import { MessageActions } from "./message_actions.js";
import { decorateMessages } from "./message_decoration.js";
import { enableDeletion } from "./message_deletion.js";
import { seqOf } from "./message_element.js";
import { MessageEditor } from "./message_editor.js";
import { MessageList } from "./message_list.js";
import { enableMessageMenu } from "./message_menu.js";
import { MessageToolbar } from "./message_toolbar.js";
import { OutboxView } from "./outbox_view.js";
import { onPageReturn } from "./page_focus.js";
import { enablePinning, followPins } from "./pins.js";
import { showPublicNotice } from "./public_notice.js";
import { loadQuotes } from "./quotes.js";
import { enableReactions } from "./reactions.js";
import { showReadReceipts } from "./read_receipts.js";
import { enableMarkAsUnread, ReadTracker } from "./read_tracker.js";
import { handleRemoval } from "./removal.js";
import { ReplyQuotes } from "./reply_quotes.js";
import { enableSpoilers } from "./spoilers.js";
import { enableSaving } from "./saved_messages.js";
import { offerSuggestions } from "./suggestions.js";
import { followThread, ThreadMessages } from "./thread.js";
import { showTyping } from "./typing_indicator.js";
import { UnreadBanner } from "./unread_banner.js";
import { UnreadDivider } from "./unread_divider.js";

/** @import { Completion } from "./autocomplete.js" */
/** @import { CharacterKeys } from "./character_keys.js" */
/** @import { Connection } from "./core/connection.js" */
/** @import { EmojiPicker } from "./emoji_picker.js" */
/** @import { Drafts } from "./drafts.js" */
/** @import { Outbox } from "./core/outbox.js" */
/** @import { Uploads } from "./core/uploads.js" */
/** @import { NotificationSettingsStore } from "./notification_settings.js" */
/** @import { HistoryLoader } from "./history_loading.js" */
/** @import { Decorator } from "./message_decoration.js" */
/** @import { PageConnection } from "./core/page_connection.js" */
/** @import { Page, Position } from "./page.js" */

/**
 * @typedef {object} App what the window has once
 * @property {number} userId
 * @property {Connection} connection
 * @property {Outbox} outbox
 * @property {Uploads} uploads
 * @property {NotificationSettingsStore} notificationSettings
 * @property {CharacterKeys} characterKeys
 * @property {EmojiPicker} emojiPicker
 * @property {Drafts} drafts
 */

/**
 * @typedef {object} LivePage a page whose conversation is followed, and what it works with
 * @property {Page} page
 * @property {HTMLElement} main
 * @property {HTMLElement} area what is around all messages: those of the list, and the first one of a thread
 * @property {MessageList} list
 * @property {MessageList | ThreadMessages} messages
 * @property {ReplyQuotes} quotes
 * @property {Completion[]} completions of what is written in a message
 * @property {PageConnection} connection
 * @property {string} conversation
 * @property {number | null} thread the number of the first message of the thread that it shows; null for the room
 * @property {AbortSignal} signal
 */

/**
 * @param {Page} page
 * @param {App} app
 */
export function showConversation(page, app) {
  const { main, signal } = page;
  const element = find(main, "[data-messages]");
  const { conversation = "", cursor } = main.dataset;
  const list = new MessageList(element, app.userId, Number(cursor));
  const area = /** @type {HTMLElement} */ (closest(element, ".timeline-content"));
  const thread = main.dataset.thread === undefined ? null : Number(main.dataset.thread);
  const messages = thread === null ? list : new ThreadMessages(main, list, app.userId);
  const quotes = new ReplyQuotes(main, area, messages, conversation);
  const connection = page.connect();
  const completions = completeText(main, list);
  const live = { page, main, area, list, messages, quotes, completions, connection, conversation, thread, signal };
  enableSpoilers(area);
  enableFolding(area);
  const decorators = [
    addAnswerCopyButtons(area),
    showCustomEmoji,
    loadQuotes,
    quotes.prepare.bind(quotes),
    keepPictures(area),
  ];
  const toolbar = createToolbar(live, decorators, app);
  // Before what observes which replies are read: the first message is none.
  if (messages instanceof ThreadMessages) {
    decorateMessages(messages.root.element, app.userId, [...decorators], signal);
    followThread(live);
  }
  decorators.push(showLiveConversation(live, toolbar, app));
  decorateMessages(element, app.userId, decorators, signal);
  app.connection.on(
    "members_changed",
    (changed) => changed.conversation === conversation && page.showMemberCount(String(changed.member_count)),
    { signal },
  );
  // The server then sends news of the conversation, as of all others.
  page.on("left", () => page.isPane || app.connection.request("leave_chat", { conversation }).catch(() => {}));
}

/**
 * Enable the actions on messages, and the controls of answers.
 *
 * @param {LivePage} live
 * @param {Decorator[]} decorators
 * @param {App} app
 */
function createToolbar(live, decorators, { userId, emojiPicker, connection: window }) {
  const { page, main, area, messages, completions, connection, conversation, signal } = live;
  const { messageLimit } = main.dataset;
  const picker = find(main, "[data-reaction-picker]");
  const actions = new MessageActions(messages, connection, conversation);
  const toolbar = new MessageToolbar(main, area, picker, userId, signal);
  page.on("left", () => toolbar.hide());
  const deletions = enableDeletion(find(main, "[data-delete-dialog]", HTMLDialogElement), toolbar, actions);
  const ask = deletions.ask.bind(deletions);
  const editor = new MessageEditor(area, toolbar, actions, Number(messageLimit), ask, completions);
  enableMessageMenu(toolbar, conversation, new ForwardDialog(find(main, "[data-forward-dialog]", HTMLDialogElement)));
  enablePinning(toolbar, actions);
  enablePreviewRemoval(area, actions);
  const markSaved = enableSaving(toolbar, area, { window, page: connection }, conversation, signal);
  enableReminders(main, toolbar, connection, conversation);
  enableReactions(picker, area, toolbar, actions, emojiPicker);
  main.querySelector("[data-composer]")?.addEventListener("message:edit-last", () => editor.editLast());
  decorators.push(
    (message) => toolbar.prepare(message),
    (message) => deletions.prepare(message),
    markSaved,
    addAnswerControls(main, area, actions, userId),
  );
  return toolbar;
}

/**
 * Returns what observes each message.
 *
 * @param {LivePage} live
 * @param {MessageToolbar} toolbar
 * @param {App} app
 * @returns {Decorator}
 */
function showLiveConversation(live, toolbar, { userId, outbox, uploads, drafts }) {
  const { page, main, list, messages, quotes, connection, conversation, thread, signal } = live;
  const { cursor, epoch = "", lastReadSeq: lastRead = "" } = main.dataset;
  const lastReadSeq = lastRead === "" ? null : Number(lastRead);
  const view = find(main, "[data-timeline]");
  const jumpButton = find(main, "[data-jump-to-latest]");
  const scroller = new AutoScroller(view, list, jumpButton);
  const divider = new UnreadDivider(list, { userId, lastReadSeq, unread: Number(main.dataset.unread), signal });
  const banner = main.querySelector("[data-unread-banner]") ? new UnreadBanner(main, view, list, divider) : null;
  const tracker = new ReadTracker(list, view, connection, { conversation, thread, userId, lastReadSeq, signal });
  const timeline = new Timeline(messages, connection, { conversation, thread, cursor: Number(cursor), epoch });
  quotes.follow(timeline);
  const showLatest = () => (list.hasNewer ? timeline.showLatest() : scroller.scrollToEnd());
  jumpButton.addEventListener("click", showLatest);
  banner?.follow(connection, conversation);
  onPageReturn(() => timeline.catchUp(), signal);
  keepPosition(page, scroller, enableHistoryLoading(list, scroller, view));
  streamAnswers(list, connection, timeline, conversation);
  if (thread === null) showReadReceipts(list, connection, timeline, { conversation, userId });
  handleRemoval(main, connection, timeline);
  showPublicNotice(main, connection, timeline);
  followPins(page, connection, timeline);
  timeline.on("reset", () => {
    // The address of a place in the past would lead there again after a reload.
    if (main.isConnected && location.search) history.replaceState(null, "", location.pathname);
    scroller.scrollToEnd();
    banner?.showAgain();
  });
  timeline.on("current", () => divider.onCaughtUp());
  page.on("read", () => {
    divider.dismiss();
    banner?.hide();
    tracker.readAll();
    showLatest();
  });
  // Pending messages have not been shown.
  list.element.addEventListener("messages:attached", () => timeline.catchUp());

  /** @type {HTMLFormElement | null} */
  const form = main.querySelector("[data-composer]");
  if (form) {
    const composer = showComposer(form, live, timeline, { userId, outbox, uploads, drafts });
    enableReplies(toolbar, composer);
    form.addEventListener("message:submitted", () => {
      divider.dismiss();
      tracker.resume();
      showLatest();
    });
  }
  if (toolbar.menu.querySelector("[data-mark-unread]")) enableMarkAsUnread(toolbar, tracker, divider);
  return (message) => tracker.observe(message);
}

/**
 * @param {HTMLFormElement} form
 * @param {LivePage} live
 * @param {Timeline} timeline
 * @param {Pick<App, "userId" | "outbox" | "uploads" | "drafts">} app
 */
function showComposer(form, live, timeline, app) {
  const { page, main, list, quotes, completions, connection, conversation, thread, signal } = live;
  const { outbox, uploads, drafts } = app;
  const text = find(form, "textarea", HTMLTextAreaElement);
  const maxChars = Number(main.dataset.messageLimit);
  const attachments = new Attachments(form, uploads, { conversation, thread }, signal);
  enableDropping(main, attachments, signal);
  const options = { conversation, thread, maxChars, attachments, signal };
  const composer = new Composer(form, outbox, drafts, quotes, connection, options);
  page.on("left", () => composer.saveDraft());
  enableSendLater(form, composer);
  const outboxView = new OutboxView(list, outbox, uploads, { conversation, thread }, signal);
  timeline.on("reset", () => outboxView.render());
  list.element.addEventListener("messages:attached", () => outboxView.render());
  showTyping(form, find(main, "[data-typing]"), connection, { conversation, thread });
  offerSuggestions(main, text);
  const suggestions = find(form, "[data-mention-options]");
  const commands = completeCommands(conversation, suggestions.dataset.commands ?? "");
  enableAutocomplete(text, suggestions, [...completions, commands]);
  return composer;
}

/**
 * Return what is completed in a new message and in one that is edited.
 *
 * @param {HTMLElement} main
 * @param {MessageList} list
 * @returns {Completion[]}
 */
function completeText(main, list) {
  /** @type {HTMLElement | null} does not exist where nobody may write */
  const options = main.querySelector("[data-mention-options]");
  return [completeMentions(options?.dataset.source ?? "", list.element), emojiCompletion];
}

/**
 * @param {MessageToolbar} toolbar
 * @param {Composer} composer
 */
function enableReplies(toolbar, composer) {
  find(toolbar.element, "[data-reply]").addEventListener("click", () => {
    const seq = seqOf(toolbar.message);
    toolbar.hide();
    composer.replyTo(seq);
  });
}

/**
 * Elements that are taken from the document lose their scroll position.
 *
 * @param {Page} page
 * @param {AutoScroller} scroller
 * @param {HistoryLoader} history
 */
function keepPosition(page, scroller, history) {
  /** @type {Position | null} */
  let left = null;

  /** @param {Position | null} position */
  async function restore(position) {
    if (position?.seq !== undefined) await history.loadUntil(position.seq);
    scroller.restore(position);
  }

  page.positioner = { save: () => scroller.position, restore };
  page.on("left", () => {
    left = scroller.position;
  });
  page.on("returned", () => scroller.restore(left));
}
