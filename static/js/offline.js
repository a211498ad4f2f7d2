// The page without a connection: lists the pages that the service worker keeps, and tries again.

import { PAGES } from "./core/kept_pages.js";
import { find } from "./dom.js";

const list = find(document, "[data-kept-list]");

/** @param {Response} response */
async function readTitle(response) {
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return page.title.replace("· chatapp", "").trim();
}

async function listKept() {
  const cache = await caches.open(PAGES);
  for (const request of [...(await cache.keys())].reverse()) {
    const response = await cache.match(request, { ignoreVary: true });
    if (!response) continue;
    const link = document.createElement("a");
    link.href = request.url;
    link.textContent = await readTitle(response);
    const item = document.createElement("li");
    item.append(link);
    list.append(item);
  }
  find(document, "[data-kept]").hidden = list.childElementCount === 0;
}

find(document, "[data-retry]").addEventListener("click", (event) => {
  event.preventDefault();
  location.reload();
});
window.addEventListener("online", () => location.reload());
listKept();
