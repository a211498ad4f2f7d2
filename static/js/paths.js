// Paths of pages.

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
