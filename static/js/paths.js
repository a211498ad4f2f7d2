// Paths of pages, as chatapp/timeline/references.py builds them.

/**
 * @param {string} conversation
 * @param {number | string} seq
 */
export const messagePath = (conversation, seq) => `/conversations/${conversation}/messages/${seq}`;

/**
 * @param {string} conversation
 * @param {number | string} root the number of the thread's first message
 */
export const threadPath = (conversation, root) => `/conversations/${conversation}/threads/${root}`;

/**
 * Return a path as the templates write it.
 *
 * @param {string} path
 */
export function decodePath(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
