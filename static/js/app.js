import { arrangeMessages } from "./arrange.js";
import { showBacklog } from "./backlog.js";
import { Changes } from "./changes.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { showConnection } from "./connection_status.js";
import { offerCopies } from "./copy.js";
import { deliver, warnOfUnsent } from "./delivery.js";
import { loadOlder } from "./history.js";
import { endWithMembership } from "./membership.js";
import { offerDeletion } from "./message_deletion.js";
import { MessageEditing } from "./message_editing.js";
import { MessageList } from "./message_list.js";
import { MessageTools } from "./message_tools.js";
import { Outbox } from "./outbox.js";
import { OutgoingMessages } from "./outgoing.js";
import { offerReactions } from "./reactions.js";
import { Scroller } from "./scroll.js";
import { keepSidebar } from "./sidebar.js";
import { Timeline } from "./timeline.js";
import { UnreadLine } from "./unread.js";

const userId = Number(document.body.dataset.userId);
const connection = new Connection(userId);
const outbox = new Outbox(userId);

showConnection(connection);
keepSidebar(connection);
offerCopies();
for (const main of document.querySelectorAll("main[data-conversation]")) showConversation(main);
deliver(outbox, connection);
warnOfUnsent(outbox);

function showConversation(main) {
  const messages = main.querySelector("[data-messages]");
  // A page of older messages stands for itself: what is new now would not follow on what it shows.
  if (main.dataset.isLatest !== "true") return arrangeMessages(messages, userId);
  const list = new MessageList(messages, userId);
  const tools = main.querySelector("[data-tools]") && offerTools(main, list);
  arrangeMessages(messages, userId, (message) => tools?.prepare(message));
  followConversation(main, list);
}

/** What one can do with messages that are there: react, edit, delete. */
function offerTools(main, list) {
  const { conversation, messageLimit } = main.dataset;
  const menu = main.querySelector("[data-reaction-menu]");
  const changes = new Changes(list, connection, conversation);
  const tools = new MessageTools(main, list.element, menu, userId);
  const editing = new MessageEditing(list.element, tools, changes, Number(messageLimit));
  offerReactions(menu, list.element, tools, changes);
  offerDeletion(main.querySelector("[data-delete-dialog]"), tools, changes);
  main.querySelector("[data-composer]").addEventListener("message:edit-last", () => editing.editLast());
  return tools;
}

function followConversation(main, list) {
  const { conversation, messageLimit } = main.dataset;
  const view = main.querySelector("[data-timeline]");
  const scroller = new Scroller(view, list.element, main.querySelector("[data-to-newest]"));
  const unread = new UnreadLine(list, scroller, { conversation, userId });
  const timeline = new Timeline(list, connection, main.dataset);
  const form = main.querySelector("[data-composer]");
  loadOlder(list, scroller, view);
  endWithMembership(main, connection, timeline);
  showBacklog(main, connection);
  timeline.addEventListener("reset", () => scroller.toEnd());
  timeline.addEventListener("current", () => unread.caughtUp());

  if (form) {
    new Composer(form, outbox, { conversation, userId, limit: Number(messageLimit) });
    const outgoing = new OutgoingMessages(list, outbox, conversation);
    form.addEventListener("message:written", () => {
      unread.remove();
      scroller.toEnd();
    });
    timeline.addEventListener("reset", () => outgoing.draw());
  }
}
