import { arrangeMessages } from "./arrange.js";
import { showBacklog } from "./backlog.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { showConnection } from "./connection_status.js";
import { offerCopies } from "./copy.js";
import { deliver, warnOfUnsent } from "./delivery.js";
import { loadOlder } from "./history.js";
import { endWithMembership } from "./membership.js";
import { MessageList } from "./message_list.js";
import { Outbox } from "./outbox.js";
import { OutgoingMessages } from "./outgoing.js";
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
  arrangeMessages(messages, userId);
  // A page of older messages stands for itself: what is new now would not follow on what it shows.
  if (main.dataset.isLatest === "true") followConversation(main, new MessageList(messages, userId));
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
