// The service worker: without a connection, it shows the conversations that were read last, or a page that lists them.

import { endsLogin, isConversation, keepPage, PAGES } from "./core/kept_pages.js";

/** @typedef {Event & {waitUntil(promise: Promise<unknown>): void}} ExtendableEvent */
/**
 * @typedef {ExtendableEvent & {
 *   request: Request,
 *   preloadResponse: Promise<Response | undefined>,
 *   respondWith(response: Promise<Response>): void,
 * }} FetchEvent
 */
/** @typedef {ExtendableEvent & {notification: Notification}} NotificationEvent */
/** @typedef {{url: string, focus(): Promise<unknown>, postMessage(data: unknown): void}} WindowClient */

const FILES = "chatapp-files";
const STATIC = "/static/dist/";

const OFFLINE_PAGE = "/offline";

/** What `chatapp/offline/routes.py` adds: the page without a connection, and the files that kept pages need. */
const offlineFiles = /** @type {string[]} */ (Reflect.get(self, "OFFLINE_FILES"));
const clients = /** @type {{claim(): Promise<void>, matchAll(options: object): Promise<WindowClient[]>,
  openWindow(url: string): Promise<unknown>}} */ (Reflect.get(self, "clients"));
const registration = /** @type {ServiceWorkerRegistration} */ (Reflect.get(self, "registration"));

/**
 * @template {Event} E
 * @param {string} name
 * @param {(event: E) => void} listener
 */
const on = (name, listener) => self.addEventListener(name, /** @type {EventListener} */ (listener));

on("install", (/** @type {ExtendableEvent} */ event) => {
  event.waitUntil(storeFiles());
});

on("activate", (/** @type {ExtendableEvent} */ event) => {
  event.waitUntil(begin());
});

on("fetch", (/** @type {FetchEvent} */ event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (endsLogin(url)) event.waitUntil(caches.delete(PAGES));
  else if (request.method !== "GET") return;
  else if (url.pathname.startsWith(STATIC)) event.respondWith(findFile(request));
  else if (request.mode === "navigate" || isConversation(url)) event.respondWith(findPage(event, url));
});

on("notificationclick", (/** @type {NotificationEvent} */ event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data));
});

async function storeFiles() {
  const cache = await caches.open(FILES);
  await cache.addAll(offlineFiles);
  await Reflect.get(self, "skipWaiting").call(self);
}

async function begin() {
  // What an earlier version has stored: its pages do not fit the files of this one.
  await caches.delete(PAGES);
  const cache = await caches.open(FILES);
  const current = offlineFiles.map((path) => new URL(path, location.href).href);
  for (const { url } of await cache.keys()) if (!current.includes(url)) await cache.delete(url);
  // The browser requests the page while the service worker starts.
  await registration.navigationPreload?.enable();
  await clients.claim();
}

/**
 * Return a file of the bundle. Its name has a hash of its content.
 *
 * @param {Request} request
 */
async function findFile(request) {
  const cache = await caches.open(FILES);
  const stored = await cache.match(request, { ignoreVary: true });
  if (stored) return stored;
  const response = await fetch(request);
  if (response.ok) await cache.put(request, response.clone());
  return response;
}

/**
 * Return a page from the server. Without a connection, return the page as it was last, or the list of those.
 *
 * @param {FetchEvent} event
 * @param {URL} url
 * @returns {Promise<Response>}
 */
async function findPage(event, url) {
  const { request } = event;
  let response;
  try {
    response = (await event.preloadResponse) ?? (await fetch(request));
  } catch (error) {
    const kept = await findKept(request, url);
    if (kept) return kept;
    throw error;
  }
  if (response.redirected && endsLogin(new URL(response.url))) event.waitUntil(caches.delete(PAGES));
  else if (response.ok && !response.redirected && isConversation(url)) event.waitUntil(keep(request, response.clone()));
  return response;
}

/**
 * Return what is shown instead of a page that cannot be loaded.
 *
 * @param {Request} request
 * @param {URL} url
 */
async function findKept(request, url) {
  const kept = isConversation(url) && (await caches.match(request.url, { cacheName: PAGES, ignoreVary: true }));
  if (kept) return kept;
  return request.mode === "navigate" ? caches.match(OFFLINE_PAGE) : undefined;
}

/**
 * @param {Request} request
 * @param {Response} response
 */
async function keep(request, response) {
  await keepPage(await caches.open(PAGES), request, response);
}

/**
 * Show the conversation of a notification, in a window that is open if there is one.
 *
 * @param {string | null} path
 */
async function open(path) {
  const [client] = await clients.matchAll({ type: "window" });
  if (!client) return clients.openWindow(path ?? "/");
  await client.focus();
  if (path) client.postMessage({ open: path });
}
