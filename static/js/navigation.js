// Switches pages without loading the document again. Browsers without the Navigation API load each page in full.

import { cloneTemplate, find } from "./dom.js";
import { prefetchLinks } from "./link_prefetch.js";
import { fitsWindow, Page } from "./page.js";
import { PageLoader } from "./page_loader.js";
import { closeDialogs } from "./screen.js";
import { TypeAhead } from "./type_ahead.js";

/** @import { Connection } from "./core/connection.js" */
/** @import { LoadedPage } from "./page_loader.js" */
/** @import { Position } from "./page.js" */
/** @import { Screen } from "./screen.js" */
/** @import { Sidebar } from "./sidebar.js" */

/** A kept page's heading is compared with the server's after this time. Its messages are always up to date. */
const HEADER_LIFETIME_MS = 60_000;

/** After this time the window shows that it waits for a page. */
const SLOW_MS = 300;

/** Where the focus opens no keyboard on the screen. */
const HAS_KEYBOARD = matchMedia("(pointer: fine)").matches;

export class Navigator {
  #screen;
  #sidebar;
  #connection;
  #loader = new PageLoader();
  #typeAhead = new TypeAhead();
  #wasConnected = false;
  #loading = new AbortController();
  /** @type {Page | null} */
  #shown = null;

  /**
   * @param {Screen} screen
   * @param {Sidebar} sidebar
   * @param {Connection} connection
   */
  constructor(screen, sidebar, connection) {
    this.#screen = screen;
    this.#sidebar = sidebar;
    this.#connection = connection;
    window.navigation.addEventListener("navigate", (event) => this.#onNavigate(event));
    screen.on("shown", (page) => this.#onShown(page));
    prefetchLinks(this.#loader, (path) => !this.#findKept(path) && connection.isConnected);
    // Rooms were renamed, archived or left. After a lost connection, that may have been missed.
    connection.on("sidebar_changed", () => this.#forget());
    connection.on("removed_from_chat", () => this.#forget());
    connection.watchState((state) => this.#onState(state));
    window.addEventListener("pagehide", () => this.#forget());
  }

  /** @param {Page} page */
  #onShown(page) {
    this.#sidebar.markCurrent(page.currentLinks);
    if (page === this.#shown) return;
    this.#shown = page;
    // Before the next frame, with the layout that it needs anyway.
    requestAnimationFrame(() => this.#sidebar.revealCurrent());
  }

  /** Restore the position in a page that the back button has loaded in full. */
  restorePosition() {
    const { main, positioner } = this.#screen.page;
    const position = positionOf(window.navigation.currentEntry);
    if (!position?.isFar || main.querySelector(`#message-${position.seq}`)) return positioner.restore(position);
    const url = addressOf(position, new URL(location.href));
    window.navigation.navigate(url.href, { history: "replace", info: { position } });
  }

  /** @param {Connection["state"]} state */
  #onState(state) {
    if (state === "signed-out") this.#forget();
    if (state !== "connected") return;
    if (this.#wasConnected) this.#forget();
    this.#wasConnected = true;
    if (this.#screen.page.main.matches("[data-page-unavailable]")) retry();
  }

  #forget() {
    this.#loader.forget();
    this.#screen.forget();
  }

  /** @param {NavigateEvent} event */
  #onNavigate(event) {
    if (!isSwitch(event) || event.info?.isInFull || this.#connection.state === "signed-out") return;
    window.navigation.updateCurrentEntry({ state: { position: this.#screen.page.positioner.save() } });
    event.intercept({ focusReset: "manual", scroll: "manual", handler: () => this.#go(event) });
  }

  /** @param {NavigateEvent} event */
  async #go(event) {
    const { signal } = this.#start();
    const url = new URL(event.destination.url);
    const path = url.pathname + url.search;
    const kept = this.#findKept(path);
    if (kept) {
      this.#show(kept, event);
      this.#refreshHeader(kept);
      return;
    }
    this.#sidebar.markCurrent([url.pathname]);
    if (HAS_KEYBOARD && (this.#sidebar.findByPath(url.pathname) || this.#isWriting())) this.#typeAhead.start();
    const waiting = setTimeout(() => document.body.classList.add("is-loading"), SLOW_MS);
    signal.addEventListener("abort", () => clearTimeout(waiting));
    const position = positionAfter(event);
    const { pathname, search } = position?.isFar ? addressOf(position, url) : url;
    const loaded = await this.#loader.load(pathname + search, signal).catch(() => undefined);
    if (signal.aborted) return;
    this.#start();
    if (loaded === undefined) this.#showUnavailable(path, event);
    else this.#showLoaded(loaded, event);
  }

  /** Return whether the focus is in a field of the page that is being left: what is typed now is meant for the next one. */
  #isWriting() {
    const { activeElement } = document;
    return this.#screen.page.main.contains(activeElement) && activeElement?.matches("input, textarea");
  }

  /** End the loading of the page that was requested before. The browser's "Stop" does not: the address has changed. */
  #start() {
    this.#loading.abort();
    document.body.classList.remove("is-loading");
    this.#loading = new AbortController();
    return this.#loading;
  }

  /**
   * @param {LoadedPage} loaded
   * @param {NavigateEvent} event
   */
  #showLoaded(loaded, event) {
    const source = loaded && parseDocument(loaded.html);
    // Signed out, another person, a new version, a page with scripts of its own, an error.
    if (!source || !fitsWindow(source)) return loadInFull();
    const url = new URL(loaded.url);
    const position = positionAfter(event);
    url.hash ||= new URL(event.destination.url).hash || (position ? "" : placeIn(url));
    if (url.href !== location.href) {
      history.replaceState(null, "", url);
      window.navigation.updateCurrentEntry({ state: { position } });
    }
    this.#show(new Page(source, url.pathname + url.search, this.#connection), event);
  }

  /**
   * The connection is lost: keep the window, with what has not been sent, and try again after the reconnect.
   *
   * @param {string} path
   * @param {NavigateEvent} event
   */
  #showUnavailable(path, event) {
    const source = document.implementation.createHTMLDocument("Page not available · chatapp");
    source.body.append(cloneTemplate("page-unavailable"));
    this.#show(new Page(source, path, this.#connection), event);
    this.#sidebar.markCurrent([location.pathname]);
  }

  /**
   * @param {Page} page
   * @param {NavigateEvent} event
   */
  #show(page, event) {
    closeDialogs();
    const wasBeside = this.#screen.page.isPane && page.main.isConnected;
    this.#screen.show(page);
    this.#sidebar.close();
    // Nothing has moved in a page whose pane was closed.
    if (wasBeside) {
      const { opener } = this.#screen;
      if (opener) opener.focus({ preventScroll: true });
      else focusField(page.main);
      return;
    }
    const position = positionAfter(event);
    if (position || event.navigationType === "traverse") page.positioner.restore(position);
    else if (location.hash) scrollToHash(event);
    if (!focusPage(page.main)) page.main.focus({ preventScroll: true });
    this.#typeAhead.finish(page.main);
  }

  /** @param {Page} page */
  async #refreshHeader(page) {
    if (performance.now() - page.loadedAt < HEADER_LIFETIME_MS || !this.#connection.isConnected) return;
    const loaded = await this.#loader.load(page.path, page.signal).catch(() => null);
    const source = loaded && parseDocument(loaded.html);
    if (!source || !fitsWindow(source) || this.#screen.page !== page) return;
    if (page.updateHeader(new Page(source, page.path, this.#connection))) this.#screen.emit("shown", page);
  }

  /** @param {string} path */
  #findKept(path) {
    return this.#screen.find(path, this.#sidebar.unreadAt(path));
  }
}

/**
 * Return whether a navigation leads to another page that this window may show: not a download, a form that is posted, a
 * place on the same page, or a change of the address by a script.
 *
 * @param {NavigateEvent} event
 */
function isSwitch({ canIntercept, hashChange, downloadRequest, formData, navigationType, destination }) {
  const isScripted = navigationType !== "traverse" && destination.sameDocument;
  if (!canIntercept || hashChange || isScripted || navigationType === "reload") return false;
  return downloadRequest === null && formData === null;
}

/**
 * Return the fragment of a page that has messages around one. A permanent link is redirected to it, but browsers hide the
 * fragment of a redirect from scripts.
 *
 * @param {URL} url
 */
function placeIn({ searchParams }) {
  const seq = searchParams.get("around");
  return seq ? `#message-${seq}` : "";
}

/** @param {NavigateEvent} event */
function scrollToHash(event) {
  // A changed address has ended the navigation.
  if (event.signal.aborted) location.replace(location.hash);
  else event.scroll();
}

/**
 * Load the page as a document of its own. After a reload the browser would count it as the document of the page before,
 * so that Back would only change the address: a new document needs another address first. It leads to the same page, as
 * the address stays if nothing is loaded: after "Stop", or when the response is a file to save.
 */
function loadInFull() {
  const { href } = location;
  const other = new URL(href);
  other.searchParams.set("load", "full");
  history.replaceState(null, "", other);
  const { committed } = window.navigation.navigate(href, { history: "replace", info: { isInFull: true } });
  committed?.catch(() => {
    if (location.href === other.href) history.replaceState(null, "", href);
  });
}

/** Load the page again that could not be loaded. */
const retry = () => window.navigation.navigate(location.href, { history: "replace" });

/**
 * Focus the message that the address names, or else the field that the page is for. Returns whether there is one.
 *
 * @param {HTMLElement} main
 */
export function focusPage(main) {
  const message = location.hash && main.querySelector(`.message#${CSS.escape(location.hash.slice(1))}`);
  // On a touch screen the browser has focused it, without showing what the focus of a keyboard shows.
  if (!HAS_KEYBOARD || !(message instanceof HTMLElement)) return focusField(main);
  message.focus({ preventScroll: true });
  return true;
}

/**
 * Focus the field that a page is for. Returns whether there is one.
 *
 * @param {HTMLElement} main
 */
function focusField(main) {
  /** @type {HTMLElement | null} */
  const field = main.querySelector(
    "[data-composer]:not([hidden]) textarea:not(:disabled), [autofocus]:not([data-composer] *)",
  );
  if (HAS_KEYBOARD) field?.focus({ preventScroll: true });
  return HAS_KEYBOARD && field !== null;
}

/**
 * @param {{getState: () => any} | null} entry
 * @returns {Position | null}
 */
const positionOf = (entry) => entry?.getState()?.position ?? null;

/**
 * Return where the reader was on the page to which they return.
 *
 * @param {NavigateEvent} event
 * @returns {Position | null}
 */
function positionAfter({ navigationType, destination, info }) {
  return navigationType === "traverse" ? positionOf(destination) : (info?.position ?? null);
}

/**
 * Return the address at which a page has the messages around a position.
 *
 * @param {Position} position
 * @param {URL} page
 */
function addressOf({ seq }, { pathname, origin }) {
  return new URL(`${pathname}?around=${seq}`, origin);
}

/** @param {string} html */
const parseDocument = (html) => new DOMParser().parseFromString(html, "text/html");

/**
 * Announce each page to screen readers.
 *
 * @param {Screen} screen
 */
export function announcePages(screen) {
  const line = find(document, "[data-page-announcement]");
  screen.on("shown", ({ title }) => {
    line.textContent = title;
  });
}
