// The files that are attached to a message being written: chosen, dropped or pasted.

import { describeType, formatSize, isFilePaste } from "./core/file_display.js";
import { boxPlace } from "./core/uploads.js";
import { cloneTemplate, closest, find } from "./dom.js";
import { decodePicture } from "./pictures.js";

/** @import { FileReference, Upload, Uploads } from "./core/uploads.js" */

const FIELDS = "input, textarea, [contenteditable]";

/** Each file is a chip in the message box. Emits `attachments:changed` on the form when their number has changed. */
export class Attachments {
  #form;
  #list;
  #uploads;
  #place;
  /** @type {Map<string, HTMLElement>} the chips by the keys of the files */
  #chips = new Map();

  /**
   * @param {HTMLFormElement} form
   * @param {Uploads} uploads
   * @param {{conversation: string, thread: number | null}} box
   * @param {AbortSignal} signal ends the page
   */
  constructor(form, uploads, box, signal) {
    this.#form = form;
    this.#list = find(form, "[data-attachments]");
    this.#uploads = uploads;
    this.#place = boxPlace(box);
    const input = find(form, "[data-attach-input]", HTMLInputElement);
    find(form, "[data-attach]").addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      this.add(input.files ?? []);
      // The form of the page must not post it too.
      input.value = "";
    });
    form.addEventListener("paste", (event) => this.paste(event));
    this.#list.addEventListener("click", ({ target }) => this.#onClick(target));
    this.#list.addEventListener("input", ({ target }) => this.#onDescribe(target));
    this.#list.addEventListener("keydown", (event) => this.#onKeydown(event));
    uploads.on("change", ({ place }) => place === this.#place && this.#render(), { signal });
    this.#render();
  }

  get isEmpty() {
    return this.#uploads.list(this.#place).length === 0;
  }

  /** What stands in the way of sending, or null. */
  get problem() {
    const failed = this.#uploads.list(this.#place).find((upload) => upload.error);
    return failed ? `“${failed.name}” could not be uploaded. Remove it or try again.` : null;
  }

  /** @param {Iterable<File>} files */
  add(files) {
    for (const file of files) this.#measure(this.#uploads.add(this.#place, file, file.name || "file"), file);
  }

  /**
   * @param {string} key
   * @param {File} file
   */
  async #measure(key, file) {
    const picture = await decodePicture(file);
    if (!picture) return;
    const { width, height } = picture;
    this.#uploads.describe(key, { width, height });
  }

  /**
   * Attach what the clipboard has, unless it is text.
   *
   * @param {ClipboardEvent} event
   */
  paste(event) {
    const { clipboardData: data } = event;
    if (!data || event.defaultPrevented || !isFilePaste(data.types)) return;
    event.preventDefault();
    this.add([...data.files]);
  }

  /**
   * Give the files to a message, and return what its entry in the outbox has of them.
   *
   * @param {string} clientId
   */
  take(clientId) {
    if (this.isEmpty) return {};
    return { files: this.#uploads.take(this.#place, clientId), tab: this.#uploads.tab };
  }

  /**
   * Wait until the files are uploaded. Returns what a message says about them, or null if one cannot be uploaded.
   *
   * @param {AbortSignal} signal ends the wait
   */
  async waitForReferences(signal) {
    return (await this.#uploads.waitForReferences(this.#place, signal)).references;
  }

  /**
   * Remove files that a message has now.
   *
   * @param {FileReference[]} references
   */
  removeSent(references) {
    this.#uploads.removeSent(this.#place, references);
  }

  /** Upload the files again: the server does not have all of them any more. */
  uploadAgain() {
    this.#uploads.retryEntry({ files: this.#uploads.list(this.#place) });
  }

  #render() {
    const uploads = this.#uploads.list(this.#place);
    const keys = new Set(uploads.map((upload) => upload.key));
    for (const [key, chip] of this.#chips) if (!keys.has(key)) this.#removeChip(key, chip);
    for (const upload of uploads) this.#renderChip(this.#chips.get(upload.key) ?? this.#createChip(upload), upload);
    this.#list.hidden = uploads.length === 0;
    this.#form.dispatchEvent(new Event("attachments:changed"));
  }

  /**
   * @param {string} key
   * @param {HTMLElement} chip
   */
  #removeChip(key, chip) {
    this.#chips.delete(key);
    if (chip.contains(document.activeElement)) find(this.#form, "textarea").focus();
    chip.remove();
  }

  /** @param {Upload} upload */
  #createChip({ key, name, alt }) {
    const chip = find(cloneTemplate("attachment"), "[data-attachment]");
    chip.dataset.key = key;
    find(chip, "[data-name]").textContent = name;
    const description = find(chip, "[data-description]", HTMLInputElement);
    description.value = alt;
    description.setAttribute("aria-label", `Alternative text for ${name}`);
    find(chip, "[data-cancel-upload]").setAttribute("aria-label", `Remove ${name}`);
    find(chip, "[data-retry-upload]").setAttribute("aria-label", `Retry ${name}`);
    find(chip, "progress").setAttribute("aria-label", `Upload of ${name}`);
    this.#chips.set(key, chip);
    this.#list.append(chip);
    return chip;
  }

  /**
   * @param {HTMLElement} chip
   * @param {Upload} upload
   */
  #renderChip(chip, upload) {
    const { file, sent, size, width, error, isComplete, isKept } = upload;
    const progress = find(chip, "progress", HTMLProgressElement);
    chip.classList.toggle("is-failed", error !== null);
    progress.hidden = isComplete || error !== null;
    progress.value = size ? sent / size : 0;
    find(chip, "[data-retry-upload]").hidden = error === null;
    const describe = find(chip, "[data-describe]");
    if (width && describe.hidden) {
      describe.hidden = false;
      showThumbnail(find(chip, "[data-thumbnail]"), file);
    }
    const facts = find(chip, "[data-facts]");
    facts.textContent = error ?? describeProgress(upload);
    if (!isKept && !error) facts.textContent += " · Keep this page open until it is sent";
  }

  /** @param {EventTarget | null} target */
  #onClick(target) {
    const chip = closest(target, "[data-attachment]");
    const { key } = chip?.dataset ?? {};
    if (!chip || !key) return;
    if (closest(target, "[data-cancel-upload]")) this.#uploads.cancel(key);
    if (closest(target, "[data-retry-upload]")) this.#uploads.retry(key);
    if (closest(target, "[data-describe]")) toggleDescription(chip);
  }

  /** @param {EventTarget | null} target */
  #onDescribe(target) {
    const { key } = closest(target, "[data-attachment]")?.dataset ?? {};
    if (key && target instanceof HTMLInputElement) this.#uploads.describe(key, { alt: target.value });
  }

  /** @param {KeyboardEvent} event */
  #onKeydown(event) {
    const chip = closest(event.target, "[data-attachment]");
    if (!chip || !closest(event.target, "[data-description]") || !["Enter", "Escape"].includes(event.key)) return;
    // Enter would send the message.
    event.preventDefault();
    event.stopPropagation();
    toggleDescription(chip);
    find(chip, "[data-describe]").focus();
  }
}

/**
 * Attach what is dropped anywhere in a conversation, and what is pasted while nothing is being written.
 *
 * @param {HTMLElement} main the conversation
 * @param {Attachments} attachments
 * @param {AbortSignal} signal
 */
export function enableDropping(main, attachments, signal) {
  const overlay = find(main, "[data-drop-overlay]");
  // Over the messages, too.
  main.append(overlay);
  // Entering an element inside is reported before leaving the one outside.
  let depth = 0;
  const end = () => {
    depth = 0;
    overlay.hidden = true;
  };
  main.addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    overlay.hidden = false;
  });
  main.addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth -= 1;
    if (depth <= 0) end();
  });
  main.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    end();
    attachments.add(listFiles(event));
  });
  document.addEventListener(
    "paste",
    (event) => {
      // Beside a thread, where nothing is selected, it is for the conversation.
      const place = closest(event.target, ".conversation") ?? document.querySelector("main");
      const isHere = main.isConnected && place === main && !closest(event.target, FIELDS);
      if (isHere && !document.querySelector("dialog:modal")) attachments.paste(event);
    },
    { signal },
  );
}

/** Keep the browser from showing a file instead of the page, wherever it is dropped. */
export function preventFileNavigation() {
  window.addEventListener("dragover", (event) => {
    if (!hasFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    const isAttached = closest(event.target, ".conversation")?.querySelector("[data-composer]:not([hidden])");
    event.dataTransfer.dropEffect = isAttached ? "copy" : "none";
  });
  window.addEventListener("drop", (event) => hasFiles(event) && event.preventDefault());
}

/** @param {DragEvent} event */
const hasFiles = (event) => event.dataTransfer?.types.includes("Files") ?? false;

/**
 * Return the dropped files, without folders: browsers offer them as empty files.
 *
 * @param {DragEvent} event
 */
function listFiles({ dataTransfer }) {
  return [...(dataTransfer?.items ?? [])]
    .filter((item) => item.kind === "file" && !item.webkitGetAsEntry()?.isDirectory)
    .map((item) => item.getAsFile())
    .filter((file) => file !== null);
}

/**
 * @param {HTMLElement} place
 * @param {Blob} file
 */
async function showThumbnail(place, file) {
  const picture = await decodePicture(file);
  if (picture) place.replaceChildren(picture.draw(56, 56));
}

/** @param {Upload} upload */
function describeProgress({ name, sent, size, isComplete, upload }) {
  if (isComplete) return `${describeType(name)} · ${formatSize(size)}`;
  if (!upload) return `${formatSize(size)} · Waiting`;
  if (sent >= size) return `${formatSize(size)} · Processing…`;
  return `${formatSize(sent)} of ${formatSize(size)}`;
}

/** @param {HTMLElement} chip */
function toggleDescription(chip) {
  const field = find(chip, "[data-description]", HTMLInputElement);
  const button = find(chip, "[data-describe]");
  field.hidden = !field.hidden;
  button.ariaExpanded = String(!field.hidden);
  button.classList.toggle("has-text", field.value.trim() !== "");
  if (!field.hidden) field.focus();
}
