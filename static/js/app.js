import { followAnswers, offerAnswerCopies, offerAnswers } from "./answers.js";
import { arrangeMessages } from "./arrange.js";
import { showBacklog } from "./backlog.js";
import { Changes } from "./changes.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { showConnection } from "./connection_status.js";
import { offerCopies } from "./copy.js";
import { deliver, warnOfUnsent } from "./delivery.js";
import { loadOlder } from "./history.js";
import { completeMentions } from "./mention_completion.js";
import { endWithMembership } from "./membership.js";
import { offerDeletion } from "./message_deletion.js";
import { MessageEditing } from "./message_editing.js";
import { MessageList } from "./message_list.js";
import { MessageTools } from "./message_tools.js";
import { Outbox } from "./outbox.js";
import { OutgoingMessages } from "./outgoing.js";
import { keepPresence } from "./presence.js";
import { offerReactions } from "./reactions.js";
import { offerUnread, ReadMark } from "./read_mark.js";
import { showReceipts } from "./receipts.js";
import { Scroller } from "./scroll.js";
import { Sidebar } from "./sidebar.js";
import { Timeline } from "./timeline.js";
import { showTyping } from "./typing.js";
import { UnreadCounts } from "./unread_counts.js";
import { offerFirstUnread, UnreadLine } from "./unread_line.js";

const userId = Number(document.body.dataset.userId);
const connection = new Connection(userId);
const outbox = new Outbox(userId);

showConnection(connection);
const sidebar = new Sidebar(connection);
new UnreadCounts(connection, sidebar, userId);
keepPresence(connection, sidebar);
offerCopies();
for (const main of document.querySelectorAll("main[data-conversation]")) showConversation(main);
deliver(outbox, connection);
warnOfUnsent(outbox);

function showConversation(main) {
  const messages = main.querySelector("[data-messages]");
  // A page of older messages stands for itself: what is new now would not follow on what it shows.
  if (main.dataset.isLatest !== "true") return arrangeMessages(messages, userId);
  const list = new MessageList(messages, userId);
  const tools = main.querySelector("[data-message-toolbar]") && offerTools(main, list);
  const offerCopy = offerAnswerCopies(messages);
  arrangeMessages(messages, userId, (message) => {
    offerCopy(message);
    tools?.prepare(message);
    tools?.steer(message);
  });
  followConversation(main, list, tools);
}

/** What one can do with messages that are there: react, edit, delete. */
function offerTools(main, list) {
  const { conversation, messageLimit } = main.dataset;
  const menu = main.querySelector("[data-reaction-picker]");
  const changes = new Changes(list, connection, conversation);
  const tools = new MessageTools(main, list.element, menu, userId);
  const editing = new MessageEditing(list.element, tools, changes, Number(messageLimit));
  offerReactions(menu, list.element, tools, changes);
  tools.steer = offerAnswers(main, list, changes, userId);
  offerDeletion(main.querySelector("[data-delete-dialog]"), tools, changes);
  main.querySelector("[data-composer]").addEventListener("message:edit-last", () => editing.editLast());
  return tools;
}

function followConversation(main, list, tools) {
  const { conversation, messageLimit, lastReadSeq } = main.dataset;
  const view = main.querySelector("[data-timeline]");
  const scroller = new Scroller(view, list.element, main.querySelector("[data-jump-to-latest]"));
  const line = new UnreadLine(list, { userId, lastReadSeq });
  const mark = new ReadMark(list, scroller, connection, { conversation, lastReadSeq });
  const timeline = new Timeline(list, connection, main.dataset);
  const form = main.querySelector("[data-composer]");
  offerFirstUnread(main, line, list, loadOlder(list, scroller, view));
  followAnswers(list, connection, timeline, conversation);
  showReceipts(list, connection, timeline, { conversation, userId });
  endWithMembership(main, connection, timeline);
  showBacklog(main, connection);
  timeline.addEventListener("reset", () => scroller.toEnd());
  timeline.addEventListener("current", () => line.caughtUp());

  if (form) {
    new Composer(form, outbox, { conversation, userId, limit: Number(messageLimit) });
    const outgoing = new OutgoingMessages(list, outbox, conversation);
    form.addEventListener("message:written", () => {
      line.remove();
      mark.release();
      scroller.toEnd();
    });
    timeline.addEventListener("reset", () => outgoing.draw());
    showTyping(form.querySelector("textarea"), main.querySelector("[data-typing]"), connection, conversation);
    completeMentions(form.querySelector("textarea"), form.querySelector("[data-mention-options]"));
  }
  if (tools && lastReadSeq !== "") offerUnread(tools, mark, line);
}
