// Pictures among the files that a person attaches, before the server has them.

/** Larger files are not decoded: that would take the memory of the page. */
const MAX_BYTES = 50_000_000;

/**
 * @typedef {object} Picture
 * @property {number} width
 * @property {number} height
 * @property {(width: number, height: number) => HTMLCanvasElement} draw return it in a size in CSS pixels, filled
 */

/**
 * Return a file as a picture, or null if the browser cannot show it as one.
 *
 * @param {Blob} file
 * @returns {Promise<Picture | null>}
 */
export async function decodePicture(file) {
  if (!file.type.startsWith("image/") || file.size > MAX_BYTES) return null;
  // Vector graphics are not decoded: the server does not show them as pictures.
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return null;
  return { width: bitmap.width, height: bitmap.height, draw: (width, height) => draw(bitmap, width, height) };
}

/**
 * @param {ImageBitmap} bitmap
 * @param {number} width
 * @param {number} height
 */
function draw(bitmap, width, height) {
  const canvas = document.createElement("canvas");
  const density = Math.ceil(devicePixelRatio);
  canvas.width = width * density;
  canvas.height = height * density;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const scale = Math.max(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [shownWidth, shownHeight] = [bitmap.width * scale, bitmap.height * scale];
  const [left, top] = [(canvas.width - shownWidth) / 2, (canvas.height - shownHeight) / 2];
  canvas.getContext("2d")?.drawImage(bitmap, left, top, shownWidth, shownHeight);
  return canvas;
}
