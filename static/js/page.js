// A page of the window: the elements that a switch replaces, and the life of the modules that use them.

import { PageConnection } from "./core/page_connection.js";
import { TypedEventTarget } from "./core/typed_event_target.js";
import { find, findAll } from "./dom.js";

/** @import { Connection } from "./core/connection.js" */

/**
 * @typedef {object} Position where the reader is: at a message, or at a distance from the top
 * @property {number} [seq]
 * @property {number} top
 * @property {boolean} [isFar] whether it is so far from the latest message that only what is around it is loaded again
 */

/** @typedef {{save: () => Position | null, restore: (position: Position | null) => void}} Positioner */

/** What a switch replaces. */
const PARTS = [".topbar-heading", ".topbar-actions", "main"];

/** What the pages of a window have in common. Others, and those of a new version, are loaded in full. */
const SHARED = "script[src], link[rel=stylesheet]";

/**
 * Emits `left` before its elements are taken from the document, and `returned` when they are shown again. Emits `read`
 * when the person marks its conversation as read.
 *
 * @extends {TypedEventTarget<{left: void, returned: void, read: void}>}
 */
export class Page extends TypedEventTarget {
  path;
  title;
  main;
  /** The links of the sidebar that lead to the page, as its templates write them. */
  currentLinks;
  /** The part of the page above `main`, as the server rendered it. */
  header;
  /** @type {Positioner} */
  positioner;
  /** The numbers of the pinned messages of its conversation. */
  pinnedSeqs;
  loadedAt = performance.now();
  /** Whether it is shown beside another page. */
  isPane = false;
  #parts;
  #connection;
  #controller = new AbortController();

  /**
   * @param {Document} source the page of the window, or one that was fetched
   * @param {string} path with the query
   * @param {Connection} connection
   */
  constructor(source, path, connection) {
    super();
    this.path = path;
    this.title = source.title.trim();
    this.main = find(source, "main");
    this.positioner = {
      save: () => ({ top: this.main.scrollTop }),
      restore: (position) => {
        this.main.scrollTop = position?.top ?? 0;
      },
    };
    this.#parts = PARTS.map((part) => find(source, part));
    this.header = headerOf(this.#parts);
    this.pinnedSeqs = pinnedSeqsOf(this.#parts);
    this.currentLinks = findAll(source, ".sidebar a[aria-current]").map((link) => link.getAttribute("href") ?? "");
    this.#connection = connection;
  }

  /** Aborted when the page is neither shown nor kept any more. */
  get signal() {
    return this.#controller.signal;
  }

  /** The conversation that the page follows; null on all others. */
  get conversation() {
    return this.main.dataset.conversation ?? null;
  }

  /** Mark its conversation as read. Returns whether it has one. */
  markRead() {
    this.emit("read");
    return this.conversation !== null;
  }

  /** Return a connection that belongs to this page. */
  connect() {
    const connection = new PageConnection(this.#connection, this.signal);
    this.on("left", () => connection.pause());
    this.on("returned", () => connection.resume());
    return connection;
  }

  /**
   * Show the number of members of the room, also while the page is put away.
   *
   * @param {string} count
   */
  showMemberCount(count) {
    for (const part of this.#parts)
      for (const element of findAll(part, "[data-member-count]")) element.textContent = count;
  }

  /** Show the number of pinned messages, also while the page is put away. */
  showPinCount() {
    const count = this.pinnedSeqs.size;
    for (const part of this.#parts) {
      for (const link of findAll(part, "[data-pins-link]")) {
        link.hidden = count === 0;
        find(link, "[data-pin-count]").textContent = String(count);
      }
    }
  }

  /** Put the elements of the page into the document. */
  insert() {
    PARTS.forEach((selector, index) => {
      const part = this.#parts[index];
      const shown = find(document, selector);
      if (part && part !== shown) shown.replaceWith(part);
    });
  }

  /**
   * Return an element of its heading, its actions or its content.
   *
   * @param {string} selector
   * @returns {HTMLElement | null}
   */
  findAction(selector) {
    for (const part of [...this.#parts, this.main]) {
      /** @type {HTMLElement | null} */
      const found = part.querySelector(selector);
      if (found) return found;
    }
    return null;
  }

  /** Make it a pane, which is shown beside another page, with a header of its own. */
  becomePane() {
    const pane = document.createElement("aside");
    for (const { name, value } of this.main.attributes) pane.setAttribute(name, value);
    pane.id = "pane";
    pane.classList.add("pane");
    pane.ariaLabel = this.title.split(" · ")[0] ?? "";
    const header = document.createElement("header");
    header.className = "topbar";
    const [heading, actions] = this.#parts;
    if (heading && actions) header.append(heading, actions);
    // The page has one heading of the first level.
    for (const title of findAll(header, "h1")) {
      const second = document.createElement("h2");
      second.append(...title.childNodes);
      title.replaceWith(second);
    }
    header.append(find(this.main, "#close-pane", HTMLTemplateElement).content.cloneNode(true));
    pane.append(header, ...this.main.childNodes);
    renameIds(pane);
    this.main = pane;
    this.isPane = true;
  }

  /**
   * Show the heading and the actions of a newer copy of the page.
   *
   * @param {Page} newer
   */
  updateHeader(newer) {
    this.loadedAt = newer.loadedAt;
    if (newer.header === this.header) return false;
    this.header = newer.header;
    this.title = newer.title;
    const [heading, actions] = newer.#parts;
    const isShown = this.main.isConnected;
    if (heading && actions) this.#parts.splice(0, 2, heading, actions);
    this.showPinCount();
    if (isShown) this.insert();
    return true;
  }

  /** End the modules of the page. */
  dispose() {
    this.#controller.abort();
  }
}

/**
 * Return whether a fetched page can be shown in this window: it belongs to the same person and the same version.
 *
 * @param {Document} source
 */
export function fitsWindow(source) {
  const { userId } = document.body.dataset;
  return source.body.dataset.userId === userId && sharedFiles(source) === sharedFiles(document);
}

/** @param {HTMLElement[]} parts */
const headerOf = ([heading, actions]) => `${heading?.outerHTML}${actions?.outerHTML}`;

/** @param {HTMLElement[]} parts */
const pinnedSeqsOf = (parts) =>
  new Set(
    parts
      .flatMap((part) => findAll(part, "[data-pins-link]"))
      .flatMap(({ dataset }) => dataset.pinnedSeqs?.split(" ").filter(Boolean) ?? [])
      .map(Number),
  );

/** @param {Document} source */
const sharedFiles = (source) =>
  findAll(source.head, SHARED)
    .map((element) => element.getAttribute("src") ?? element.getAttribute("href"))
    .join();

const REFERENCES = ["for", "popovertarget", "aria-controls", "aria-labelledby", "aria-describedby"];

/**
 * Rename the ids of a pane, so that they differ from those of the page beside it. Messages keep theirs.
 *
 * @param {HTMLElement} pane
 */
function renameIds(pane) {
  for (const element of findAll(pane, "[id]:not(.message, template)")) element.id = `pane-${element.id}`;
  for (const name of REFERENCES) {
    for (const element of findAll(pane, `[${name}]`)) {
      const ids = (element.getAttribute(name) ?? "").split(" ");
      element.setAttribute(name, ids.map((id) => `pane-${id}`).join(" "));
    }
  }
}
