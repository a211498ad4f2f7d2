import { parseHtml } from "./html.js";

const RUNNING = ["queued", "streaming"];

/**
 * Answers of assistants while they come: each delta brings the blocks from the first one that has changed. Whoever has
 * missed one asks for all that is there.
 */
export function followAnswers(list, connection, timeline, conversation) {
  connection.on("assistant_delta", (delta) => {
    if (delta.conversation !== conversation) return;
    const answer = findRunning(list, delta.seq);
    if (!answer) return;
    if (Number(answer.dataset.n ?? 0) === delta.n - 1) drawFrom(answer, delta.from, delta);
    else if (Number(answer.dataset.n ?? 0) < delta.n) timeline.catchUp();
  });
  timeline.addEventListener("joined", ({ detail }) => {
    for (const stream of detail.answers) {
      const answer = findRunning(list, stream.seq);
      if (answer) drawFrom(answer, 0, stream);
    }
  });
}

/** What people do with an answer: end it, have another one, copy it. */
export function offerAnswers(main, list, changes, userId) {
  list.element.addEventListener("click", ({ target }) => {
    const seq = Number(target.closest(".message")?.dataset.seq);
    if (target.closest("[data-stop-answer]")) changes.attempt("stop_answer", seq);
    else if (target.closest("[data-answer-again]")) changes.attempt("answer_again", seq);
  });
  const mayManage = main.dataset.mayManage === "true";
  return (message) => {
    const maySteer = mayManage || message.dataset.askerId === String(userId);
    for (const button of message.querySelectorAll("[data-stop-answer], [data-answer-again]")) button.hidden = !maySteer;
  };
}

/** Copying what assistants say: an answer as it was written, a piece of code as it stands. */
export function offerAnswerCopies(element) {
  element.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-copy-answer], [data-copy-code]");
    if (!button) return;
    const source = button.matches("[data-copy-code]")
      ? button.closest(".code").querySelector("pre")
      : button.closest(".message").querySelector("[data-answer-source]").content;
    copy(source.textContent, button);
  });
  return (message) => {
    for (const button of message.querySelectorAll("[data-copy-answer]")) button.hidden = false;
  };
}

function findRunning(list, seq) {
  const message = list.find(seq);
  return RUNNING.includes(message?.dataset.answerState) ? message : null;
}

function drawFrom(answer, start, { html, n }) {
  const body = answer.querySelector("[data-answer]");
  while (body.children.length > start) body.lastElementChild.remove();
  body.append(...parseHtml(html).childNodes);
  answer.dataset.n = n;
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.classList.add("is-copied");
    setTimeout(() => button.classList.remove("is-copied"), 1500);
  } catch {
    // On plain HTTP there is no clipboard: the text is selected, ready for Ctrl + C.
    getSelection().selectAllChildren(
      button.closest(".code")?.querySelector("pre") ?? button.closest(".message").querySelector("[data-answer]"),
    );
  }
}
