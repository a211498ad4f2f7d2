import { parseHtml } from "./html.js";

/** Fetch the list of conversations when it has become another one, or may have while the page was not connected. */
export function keepSidebar(connection) {
  const lists = document.querySelector("[data-sidebar]");
  let wasConnected = false;

  async function refresh() {
    const response = await fetch("/sidebar").catch(() => null);
    // A redirect leads to the sign-in.
    if (!response?.ok || response.redirected) return;
    const fresh = parseHtml(await response.text());
    for (const link of fresh.querySelectorAll("a.sidebar-link")) {
      link.toggleAttribute("aria-current", false);
      if (link.getAttribute("href") === location.pathname) link.setAttribute("aria-current", "page");
    }
    lists.replaceChildren(...fresh.childNodes);
  }

  connection.on("sidebar_changed", refresh);
  connection.watch((state) => {
    if (state !== "connected") return;
    if (wasConnected) refresh();
    wasConnected = true;
  });
}
