// How files are shown: sizes, names of types, and the room that a picture takes.

/** What a picture in a message takes at most, in CSS pixels. The server has the same (chatapp/presentation/files.py). */
const MAX_WIDTH = 400;
const MAX_HEIGHT = 300;

const UNITS = ["kB", "MB", "GB", "TB"];

const MAX_EXTENSION_CHARS = 5;

/**
 * Return a size in bytes as text, as the server does.
 *
 * @param {number} bytes
 */
export function formatSize(bytes) {
  if (bytes < 1_000) return bytes === 1 ? "1 Byte" : `${bytes} Bytes`;
  const power = Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length);
  return `${(bytes / 1_000 ** power).toFixed(1)} ${UNITS[power - 1]}`;
}

/**
 * Return the size of a picture in a message.
 *
 * @param {number} width
 * @param {number} height
 */
export function fitPicture(width, height) {
  const scale = Math.min(1, MAX_WIDTH / width, MAX_HEIGHT / height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/**
 * Return the type of a file in a word.
 *
 * @param {string} name
 */
export function describeType(name) {
  const extension = /\.([a-z0-9]+)$/i.exec(name)?.[1] ?? "";
  return extension && extension.length <= MAX_EXTENSION_CHARS ? extension.toUpperCase() : "File";
}

/**
 * Return whether files are what is pasted. Programs for texts and tables offer a picture besides.
 *
 * @param {readonly string[]} types of the clipboard
 */
export const isFilePaste = (types) =>
  types.includes("Files") && !(types.includes("text/html") && types.includes("text/plain"));
