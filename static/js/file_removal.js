// Removes files from a message that is being edited: each has a button, and "Save" removes those that are marked.

import { cloneTemplate, closest, find, findAll } from "./dom.js";

const FILE = ".message-files :is(.file-picture, .file)";
const BUTTON = "[data-remove-file]";

/** The files of one message that are to be removed. */
export class FileRemoval {
  #message;
  /** @type {Set<string>} */
  #marked = new Set();

  /** @param {HTMLElement} message */
  constructor(message) {
    this.#message = message;
    this.show(message);
  }

  /** The digests of the files that are to be removed. */
  get removed() {
    const digests = this.#digests;
    return [...this.#marked].filter((digest) => digests.has(digest));
  }

  /** Whether the message has a file that is kept. */
  get keepsFiles() {
    return this.#digests.size > this.removed.length;
  }

  /**
   * Add the buttons to the message's element, which may be a new one.
   *
   * @param {HTMLElement} message
   */
  show(message) {
    this.#message = message;
    for (const file of findAll(message, FILE)) if (digestOf(file) && !file.querySelector(BUTTON)) this.#addButton(file);
    this.#render();
  }

  hide() {
    this.#marked.clear();
    this.#render();
    for (const button of findAll(this.#message, BUTTON)) button.remove();
  }

  get #digests() {
    return new Set(findAll(this.#message, FILE).map(digestOf).filter(Boolean));
  }

  /** @param {HTMLElement} file */
  #addButton(file) {
    const button = find(cloneTemplate("remove-file"), BUTTON);
    button.addEventListener("click", () => {
      const digest = digestOf(file);
      if (!this.#marked.delete(digest)) this.#marked.add(digest);
      this.#render();
    });
    file.append(button);
  }

  #render() {
    for (const file of findAll(this.#message, FILE)) {
      const button = file.querySelector(BUTTON);
      if (!button) continue;
      const isMarked = this.#marked.has(digestOf(file));
      const label = `${isMarked ? "Keep" : "Remove"} ${nameOf(file)}`;
      file.classList.toggle("is-removed", isMarked);
      button.ariaLabel = label;
      button.setAttribute("title", label);
    }
  }
}

/** @param {HTMLElement} file */
const linkOf = (file) => file.querySelector(".file-picture-link, .file-row");

/**
 * Return the digest in the URL of a file. Empty while the message is pending.
 *
 * @param {HTMLElement} file
 */
const digestOf = (file) => linkOf(file)?.getAttribute("href")?.split("/").at(-2) ?? "";

/** @param {HTMLElement} file */
function nameOf(file) {
  const link = linkOf(file);
  return closest(link, "[data-name]")?.dataset.name ?? link?.getAttribute("download") ?? "";
}

/**
 * Return the names of the files of a message.
 *
 * @param {HTMLElement} message
 */
export const listFileNames = (message) => findAll(message, FILE).map(nameOf);
