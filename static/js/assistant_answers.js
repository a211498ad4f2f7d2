// Shows assistants' answers while they are generated, with controls to stop, regenerate and copy them.

import { closest, find, findAll, parseHtml } from "./dom.js";
import { messageOf, seqOf } from "./message_element.js";
import { loadQuotes } from "./quotes.js";

/** @import { AnswerContent } from "./protocol.js" */
/** @import { PageConnection } from "./core/page_connection.js" */
/** @import { Timeline } from "./core/timeline.js" */
/** @import { MessageActions } from "./message_actions.js" */
/** @import { MessageList } from "./message_list.js" */

const UNFINISHED_STATES = ["queued", "streaming"];

/**
 * Append the deltas of unfinished answers. Each delta brings the blocks from the first one that has changed. After a
 * missed delta the page requests the whole answer.
 *
 * @param {MessageList} list
 * @param {PageConnection} connection
 * @param {Timeline} timeline
 * @param {string} conversation
 */
export function streamAnswers(list, connection, timeline, conversation) {
  connection.on("assistant_delta", (delta) => {
    if (delta.conversation !== conversation) return;
    const answer = findUnfinished(list, delta.seq);
    if (!answer) return;
    const lastDelta = Number(answer.dataset.n ?? 0);
    if (lastDelta === delta.n - 1) replaceBlocks(answer, delta.from, delta);
    else if (lastDelta < delta.n) timeline.catchUp();
  });
  timeline.on("joined", ({ answers }) => {
    for (const content of answers) {
      const answer = findUnfinished(list, content.seq);
      if (answer) replaceBlocks(answer, 0, content);
    }
  });
}

/**
 * Enable the buttons that stop and regenerate answers. Returns a function that shows them on the answers that this
 * person may control.
 *
 * @param {HTMLElement} main
 * @param {HTMLElement} list
 * @param {MessageActions} actions
 * @param {number} userId
 */
export function addAnswerControls(main, list, actions, userId) {
  list.addEventListener("click", ({ target }) => {
    const seq = seqOf(messageOf(target));
    if (closest(target, "[data-stop-answer]")) actions.perform("stop_answer", { seq });
    else if (closest(target, "[data-answer-again]")) actions.perform("answer_again", { seq });
  });
  const mayModerate = main.dataset.mayModerate === "true";
  return (/** @type {HTMLElement} */ message) => {
    const isAllowed = mayModerate || message.dataset.askerId === String(userId);
    for (const button of findAll(message, "[data-stop-answer], [data-answer-again]")) button.hidden = !isAllowed;
  };
}

/**
 * Copy answers, as the Markdown that the assistant wrote, and code blocks. Returns a function that shows the buttons of
 * a message.
 *
 * @param {HTMLElement} list
 */
export function addAnswerCopyButtons(list) {
  list.addEventListener("click", ({ target }) => {
    const button = closest(target, "[data-copy-answer], [data-copy-code]");
    const message = messageOf(target);
    if (!button || !message) return;
    const code = closest(button, ".code")?.querySelector("pre");
    const source = code ?? find(message, "[data-source]", HTMLTemplateElement).content;
    copy(source.textContent ?? "", button, code ?? find(message, "[data-answer]"));
  });
  return (/** @type {HTMLElement} */ message) => {
    for (const button of findAll(message, "[data-copy-answer]")) button.hidden = false;
  };
}

/**
 * @param {MessageList} list
 * @param {number} seq
 */
function findUnfinished(list, seq) {
  const message = list.find(seq);
  return message && UNFINISHED_STATES.includes(message.dataset.answerState ?? "") ? message : null;
}

/**
 * @param {HTMLElement} answer
 * @param {number} start number of the first block to replace
 * @param {AnswerContent} content
 */
function replaceBlocks(answer, start, { html, n }) {
  const body = find(answer, "[data-answer]");
  while (body.children.length > start) body.lastElementChild?.remove();
  body.append(...parseHtml(html).childNodes);
  loadQuotes(answer);
  answer.dataset.n = String(n);
}

/**
 * @param {string} text
 * @param {HTMLElement} button
 * @param {HTMLElement} source the element that shows the text
 */
async function copy(text, button, source) {
  try {
    await navigator.clipboard.writeText(text);
    button.classList.add("is-copied");
    setTimeout(() => button.classList.remove("is-copied"), 1500);
  } catch {
    // Plain HTTP has no clipboard: select the text, so that Ctrl + C copies it.
    getSelection()?.selectAllChildren(source);
  }
}
