/** Older messages are fetched before one reaches the top. */
const AHEAD = "600px 0px 0px 0px";

/**
 * Load older messages as one scrolls up, and keep the place. Without JavaScript the same link leads to a page of them.
 *
 * @param {import("./message_list.js").MessageList} list
 * @param {import("./scroll.js").Scroller} scroller
 */
export function loadOlder(list, scroller, view) {
  const note = view.querySelector("[data-history]");
  const link = note.querySelector("a");
  const status = note.querySelector("[data-history-status]");
  const nearTop = new IntersectionObserver(([entry]) => entry.isIntersecting && load(), {
    root: view,
    rootMargin: AHEAD,
  });
  let isLoading = false;

  async function load() {
    if (isLoading || !list.hasOlder || !list.oldest) return;
    isLoading = true;
    show("Loading older messages…", false);
    try {
      await loadPage(list.oldest);
      show("", true);
      lookAgain();
    } catch {
      link.textContent = "Try again";
      show("Older messages could not be loaded.", true);
    }
    isLoading = false;
  }

  async function loadPage(oldest) {
    const response = await fetch(`${note.dataset.history}?before=${oldest.dataset.seq}`);
    // A redirect leads to the sign-in.
    if (!response.ok || response.redirected) throw new Error(response.statusText);
    const html = await response.text();
    // After a reset the list is another one, and this page no longer fits to it.
    if (list.oldest === oldest) await scroller.holdStill(oldest, () => list.prepend(html));
  }

  function show(words, hasLink) {
    status.textContent = words;
    link.hidden = !hasLink;
  }

  /** An observer speaks only of changes: the top may be as near as before. */
  function lookAgain() {
    nearTop.unobserve(note);
    nearTop.observe(note);
  }

  /** Load until the message with this number is there, or all that there is. */
  async function loadUntil(seq) {
    let oldest = null;
    while (list.hasOlder && list.oldest && list.oldest !== oldest && Number(list.oldest.dataset.seq) > seq) {
      oldest = list.oldest;
      await load();
    }
  }

  link.addEventListener("click", (event) => {
    event.preventDefault();
    load();
  });
  nearTop.observe(note);
  return { loadUntil };
}
