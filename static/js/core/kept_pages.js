// Pages of conversations that the service worker keeps for the time without a connection.

/** The cache of the pages. The same name is used by the service worker and by the page that lists them. */
export const PAGES = "chatapp-pages";

/** Pages that are kept, at most: the last ones that were read. */
export const MAX_PAGES = 30;

const CONVERSATION = /^\/(|rooms\/\d+|direct\/[^/]+|assistants\/[^/]+|sessions\/\d+)$/;

/** Paths at which a login session begins or ends. */
const LOGIN = /^\/(sign-in|sign-out|setup\/.*|invitation\/.*)$/;

/**
 * Whether the page at this address is kept: the last messages of a conversation.
 *
 * @param {URL} url
 */
export const isConversation = ({ pathname, search }) => CONVERSATION.test(pathname) && !search;

/**
 * Whether the request begins or ends a login session: then no page of the person may be left.
 *
 * @param {URL} url
 */
export const endsLogin = ({ pathname }) => LOGIN.test(pathname);

/**
 * Keep a response, and remove the oldest ones that are too many.
 *
 * @param {Cache} cache
 * @param {Request} request
 * @param {Response} response
 */
export async function keepPage(cache, request, response) {
  // A cache lists its entries in the order in which they were put.
  await cache.put(request.url, response);
  const kept = await cache.keys();
  for (const old of kept.slice(0, Math.max(0, kept.length - MAX_PAGES))) await cache.delete(old);
}
