// The page of a conversation: connects the modules that make up its message list and composer.

import { addAnswerControls, addAnswerCopyButtons, streamAnswers } from "./assistant_answers.js";
import { AutoScroller } from "./auto_scroller.js";
import { Composer } from "./composer.js";
import { Timeline } from "./core/timeline.js";
import { find } from "./dom.js";
import { enableHistoryLoading } from "./history_loading.js";
import { completeMentions } from "./mention_autocomplete.js";
import { MessageActions } from "./message_actions.js";
import { decorateMessages } from "./message_decoration.js";
import { enableDeletion } from "./message_deletion.js";
import { MessageEditor } from "./message_editor.js";
import { MessageList } from "./message_list.js";
import { MessageToolbar } from "./message_toolbar.js";
import { OutboxView } from "./outbox_view.js";
import { showOutageNotice } from "./outage_notice.js";
import { onPageReturn } from "./page_focus.js";
import { showPublicNotice } from "./public_notice.js";
import { loadQuotes } from "./quotes.js";
import { enableReactions } from "./reactions.js";
import { showReadReceipts } from "./read_receipts.js";
import { enableMarkAsUnread, ReadTracker } from "./read_tracker.js";
import { handleRemoval } from "./removal.js";
import { showTyping } from "./typing_indicator.js";
import { showUnreadBanner } from "./unread_banner.js";
import { UnreadDivider } from "./unread_divider.js";

/** @import { Connection } from "./core/connection.js" */
/** @import { FallbackStorage } from "./core/fallback_storage.js" */
/** @import { Outbox } from "./core/outbox.js" */
/** @import { Decorator } from "./message_decoration.js" */

/**
 * @typedef {object} App what the page has once
 * @property {number} userId
 * @property {Connection} connection
 * @property {Outbox} outbox
 * @property {FallbackStorage} drafts
 */

/**
 * @param {HTMLElement} main
 * @param {App} app
 */
export function showConversation(main, app) {
  const element = find(main, "[data-messages]");
  // A page of older messages receives no new ones: they would not follow the last message that it shows.
  if (main.dataset.isLatest !== "true") return decorateMessages(element, app.userId, [loadQuotes]);
  const list = new MessageList(element, app.userId);
  const decorators = [addAnswerCopyButtons(element), loadQuotes];
  const hasToolbar = main.querySelector("[data-message-toolbar]") !== null;
  const toolbar = hasToolbar ? createToolbar(main, list, decorators, app) : null;
  decorateMessages(element, app.userId, decorators);
  showLiveConversation(main, list, toolbar, app);
}

/**
 * Enable the actions on messages: react, edit, delete, and the controls of answers.
 *
 * @param {HTMLElement} main
 * @param {MessageList} list
 * @param {Decorator[]} decorators
 * @param {App} app
 */
function createToolbar(main, list, decorators, { connection, userId }) {
  const { conversation = "", messageLimit } = main.dataset;
  const picker = find(main, "[data-reaction-picker]");
  const actions = new MessageActions(list, connection, conversation);
  const toolbar = new MessageToolbar(main, list.element, picker, userId);
  const editor = new MessageEditor(list.element, toolbar, actions, Number(messageLimit));
  enableReactions(picker, list.element, toolbar, actions);
  enableDeletion(find(main, "[data-delete-dialog]", HTMLDialogElement), toolbar, actions);
  find(main, "[data-composer]").addEventListener("message:edit-last", () => editor.editLast());
  decorators.push((message) => toolbar.prepare(message), addAnswerControls(main, list.element, actions, userId));
  return toolbar;
}

/**
 * @param {HTMLElement} main
 * @param {MessageList} list
 * @param {MessageToolbar | null} toolbar
 * @param {App} app
 */
function showLiveConversation(main, list, toolbar, { connection, userId, outbox, drafts }) {
  const { conversation = "", cursor, epoch = "", lastReadSeq: lastRead = "", messageLimit } = main.dataset;
  const lastReadSeq = lastRead === "" ? null : Number(lastRead);
  const view = find(main, "[data-timeline]");
  const scroller = new AutoScroller(view, list.element, find(main, "[data-jump-to-latest]"));
  const divider = new UnreadDivider(list, { userId, lastReadSeq });
  const tracker = new ReadTracker(list, scroller, connection, { conversation, lastReadSeq });
  const timeline = new Timeline(list, connection, { conversation, cursor: Number(cursor), epoch });
  onPageReturn(() => timeline.catchUp());
  if (lastReadSeq !== null) {
    showUnreadBanner(main, divider, list, enableHistoryLoading(list, scroller, view), lastReadSeq);
  } else {
    enableHistoryLoading(list, scroller, view);
  }
  streamAnswers(list, connection, timeline, conversation);
  showReadReceipts(list, connection, timeline, { conversation, userId });
  handleRemoval(main, connection, timeline);
  showPublicNotice(main, connection, timeline);
  showOutageNotice(main, connection);
  timeline.on("reset", () => scroller.scrollToEnd());
  timeline.on("current", () => divider.onCaughtUp());

  /** @type {HTMLFormElement | null} */
  const form = main.querySelector("[data-composer]");
  if (form) {
    const text = find(form, "textarea", HTMLTextAreaElement);
    new Composer(form, outbox, drafts, { conversation, userId, maxChars: Number(messageLimit) });
    const outboxView = new OutboxView(list, outbox, conversation);
    form.addEventListener("message:submitted", () => {
      divider.remove();
      tracker.resume();
      scroller.scrollToEnd();
    });
    timeline.on("reset", () => outboxView.render());
    showTyping(form, find(main, "[data-typing]"), connection, conversation);
    completeMentions(text, find(form, "[data-mention-options]"));
  }
  if (toolbar && lastReadSeq !== null) enableMarkAsUnread(toolbar, tracker, divider);
}
