// Shows the files of the messages in the outbox, while they are uploaded.

import { describeType, fitPicture, formatSize } from "./core/file_display.js";
import { cloneTemplate, find, findAll } from "./dom.js";
import { decodePicture } from "./pictures.js";

/** @import { FileFacts, Uploads } from "./core/uploads.js" */

/** The message that replaces one of them takes the same room. */
export class OutboxFiles {
  #uploads;

  /**
   * @param {HTMLElement} list
   * @param {Uploads} uploads
   * @param {AbortSignal} signal
   */
  constructor(list, uploads, signal) {
    this.#uploads = uploads;
    uploads.on("change", ({ place }) => this.#renderProgress(list, place), { signal });
  }

  /**
   * @param {HTMLElement} message
   * @param {FileFacts[]} files
   */
  show(message, files) {
    const content = find(cloneTemplate("outbox-files"), "[data-outbox-files]");
    const pictures = find(content, "[data-pictures]");
    for (const file of files.filter(isPicture)) pictures.append(this.#createPicture(file));
    for (const file of files.filter((each) => !isPicture(each))) content.append(createRow(file));
    pictures.hidden = pictures.childElementCount === 0;
    pictures.classList.toggle("is-grid", pictures.childElementCount > 1);
    find(message, ".message-content").after(content);
    for (const file of files) renderProgress(content, file.key, this.#uploads.find(file.key));
  }

  /** @param {FileFacts} file */
  #createPicture(file) {
    const item = find(cloneTemplate("outbox-picture"), "[data-key]");
    const { width, height } = fitPicture(file.width ?? 1, file.height ?? 1);
    const image = find(item, "img", HTMLImageElement);
    image.width = width;
    image.height = height;
    image.alt = file.alt || file.name;
    item.dataset.key = file.key;
    this.#draw(item, file);
    return item;
  }

  /**
   * @param {HTMLElement} item
   * @param {FileFacts} file
   */
  async #draw(item, { key, width = 1, height = 1 }) {
    const upload = this.#uploads.find(key);
    const picture = upload && (await decodePicture(upload.file));
    if (!picture) return;
    const shown = fitPicture(width, height);
    const canvas = picture.draw(shown.width, shown.height);
    canvas.className = "file-local";
    canvas.removeAttribute("style");
    find(item, "img").before(canvas);
  }

  /**
   * @param {HTMLElement} list
   * @param {string} clientId
   */
  #renderProgress(list, clientId) {
    const uploads = this.#uploads.list(clientId);
    if (uploads.length === 0) return;
    for (const item of findAll(list, `.message:not([data-seq])[data-client-id="${CSS.escape(clientId)}"]`))
      for (const upload of uploads) renderProgress(item, upload.key, upload);
  }
}

/**
 * @param {HTMLElement} root
 * @param {string} key
 * @param {ReturnType<Uploads["find"]>} upload
 */
function renderProgress(root, key, upload) {
  /** @type {HTMLProgressElement | null} */
  const progress = root.querySelector(`[data-key="${CSS.escape(key)}"] progress`);
  if (!progress) return;
  progress.hidden = !upload || upload.isComplete || upload.error !== null;
  progress.value = upload?.size ? upload.sent / upload.size : 0;
}

/** @param {FileFacts} file */
function createRow({ key, name, size }) {
  const row = find(cloneTemplate("outbox-file"), "[data-key]");
  row.dataset.key = key;
  find(row, "[data-name]").textContent = name;
  find(row, "[data-facts]").textContent = `${describeType(name)} · ${formatSize(size)}`;
  find(row, "progress").setAttribute("aria-label", `Upload of ${name}`);
  return row;
}

/** @param {FileFacts} file */
const isPicture = ({ width }) => width !== undefined;
