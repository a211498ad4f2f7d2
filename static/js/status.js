// The page of the status: draws the plots, and updates everything while the page is visible.

import { find, findAll, parseHtml } from "./dom.js";
import { Plot } from "./plot.js";

/** @import { PlotData } from "./plot.js" */
/** @typedef {{times: number[], plots: Record<string, PlotData>, parts: Record<string, string>}} Status */

const UPDATE_INTERVAL_MS = 5_000;
const TIMEOUT_MS = 15_000;

const root = find(document, "[data-status]");
const stale = find(root, "[data-stale]");
const plots = new Map(findAll(root, "[data-plot]").map((figure) => [figure.dataset.plot ?? "", new Plot(figure)]));
const parts = findAll(root, "[data-part]");
/** @type {Map<HTMLElement, string>} */
const shown = new Map();
/** @type {number | undefined} */
let timer;
let isUpdating = false;

async function update() {
  clearTimeout(timer);
  if (document.hidden || isUpdating) return;
  isUpdating = true;
  try {
    show(await load());
    stale.hidden = true;
  } catch {
    // The server is being restarted, or this person has been signed out.
    stale.hidden = false;
  }
  isUpdating = false;
  timer = setTimeout(update, UPDATE_INTERVAL_MS);
}

/** @returns {Promise<Status>} */
async function load() {
  // A redirect leads to the page for signing in.
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(root.dataset.status ?? "", { redirect: "error", signal });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
}

/** @param {Status} status */
function show({ times, plots: drawn, parts: html }) {
  for (const [name, data] of Object.entries(drawn)) plots.get(name)?.update(times, data);
  for (const part of parts) {
    const content = html[part.dataset.part ?? ""] ?? "";
    // Screen readers announce what is inserted: only what has changed.
    if (shown.get(part) === content) continue;
    if (shown.has(part) || part.role !== "status") part.replaceChildren(...parseHtml(content).childNodes);
    shown.set(part, content);
  }
}

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => plots.forEach((plot) => plot.draw()));
document.addEventListener("visibilitychange", update);
update();
