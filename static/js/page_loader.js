// Fetches pages, and keeps those that were fetched before the click.

/** Time for which a page that was fetched in advance is used. Its conversation catches up by the cursor. */
const PREFETCHED_MS = 10_000;

/** Height of the lowest messages. */
const MIN_MESSAGE_PX = 28;

/** @typedef {{url: URL, html: string} | null} LoadedPage null if the response is not a page of the window */

export class PageLoader {
  /** @type {Map<string, {response: Promise<LoadedPage>, at: number}>} */
  #prefetched = new Map();

  /**
   * Fetch a page before it is requested. A failure shows when the page is loaded.
   *
   * @param {string} path
   */
  prefetch(path) {
    if (this.#isFresh(path)) return;
    const response = fetchPage(path, { priority: "low" });
    this.#prefetched.set(path, { response, at: performance.now() });
    response.then(
      (page) => page ?? this.#prefetched.delete(path),
      () => this.#prefetched.delete(path),
    );
  }

  /**
   * Return a page. Throws if the server cannot be reached.
   *
   * @param {string} path
   * @param {AbortSignal} signal
   * @returns {Promise<LoadedPage>}
   */
  async load(path, signal) {
    const prefetched = this.#isFresh(path) ? this.#prefetched.get(path) : undefined;
    this.#prefetched.delete(path);
    const page = await prefetched?.response.catch(() => null);
    return page ?? fetchPage(path, { signal });
  }

  forget() {
    this.#prefetched.clear();
  }

  /** @param {string} path */
  #isFresh(path) {
    return performance.now() - (this.#prefetched.get(path)?.at ?? -Infinity) < PREFETCHED_MS;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} options
 * @returns {Promise<LoadedPage>}
 */
async function fetchPage(path, options) {
  // As many messages as fill the window, so that its first frame is the final one.
  const headers = { Accept: "text/html", "X-Chatapp-Messages": `${Math.ceil(innerHeight / MIN_MESSAGE_PX)}` };
  const response = await fetch(path, { headers, ...options });
  const isPage = response.ok && response.headers.get("Content-Type")?.startsWith("text/html");
  return isPage ? { url: new URL(response.url), html: await response.text() } : null;
}
