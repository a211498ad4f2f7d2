// Opens pictures of messages in the viewer, wherever messages are shown.

import { closest, find, findAll } from "./dom.js";

/** @import { Viewer } from "./viewer.js" */

const LINK = "a[data-view]";

/** @type {Promise<Viewer> | null} */
let loading = null;

export function enablePictureLinks() {
  document.addEventListener("click", (event) => {
    const link = closest(event.target, LINK);
    const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!(link instanceof HTMLAnchorElement) || !isPlain || event.defaultPrevented) return;
    event.preventDefault();
    open(link);
  });
}

/** @param {HTMLAnchorElement} link */
async function open(link) {
  const viewer = await (loading ??= load()).catch(() => null);
  if (viewer) return viewer.open(link, findAll(link.closest(".timeline-content, main, .pane") ?? document, LINK));
  // Without a connection, it cannot be loaded.
  loading = null;
  location.assign(link.href);
}

async function load() {
  const { Viewer } = await import("./viewer.js");
  return new Viewer(find(document, "[data-viewer]", HTMLDialogElement), find);
}
