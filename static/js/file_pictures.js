// Pictures in messages: their placeholders, and animations, which run when somebody asks for it.

import { closest, find, findAll } from "./dom.js";

const PICTURE = ".file-image";

/** Each file has one, with a URL unless the message is pending. */
const LINK = ".file-picture-link, .file-row";

/** Enable the pictures of messages, wherever they are shown. */
export function enablePictures() {
  document.addEventListener("load", ({ target }) => markLoaded(target), { capture: true });
  document.addEventListener("click", ({ target }) => {
    const button = closest(target, "[data-play]");
    if (button) toggleAnimation(button);
  });
  markAllLoaded(document.body);
}

/**
 * Keep the pictures of messages that change. Returns what prepares each message.
 *
 * @param {HTMLElement} area what is around the messages
 */
export function keepPictures(area) {
  // After a reaction, a video plays on and no picture is loaded again.
  area.addEventListener("message:replaced", ({ detail: { oldElement, newElement } }) => {
    const [shown, rendered] = [oldElement, newElement].map((message) => message.querySelector(".message-files"));
    if (shown && rendered && hasSameFiles(shown, rendered)) move(shown, rendered);
    const pictures = findAll(oldElement, "[data-picture-url]");
    for (const picture of findAll(newElement, "[data-picture-url]")) {
      const same = pictures.find(({ dataset }) => dataset.pictureUrl === picture.dataset.pictureUrl);
      // Two previews can have the same picture.
      if (same && oldElement.contains(same)) move(same, picture);
    }
  });

  return markAllLoaded;
}

/** @param {HTMLElement} root */
function markAllLoaded(root) {
  for (const image of findAll(root, PICTURE)) if (Reflect.get(image, "complete")) markLoaded(image);
}

/**
 * @param {Element} one
 * @param {Element} other
 */
function hasSameFiles(one, other) {
  const [urls, others] = [one, other].map((files) =>
    [...files.querySelectorAll(LINK)].map((link) => link.getAttribute("href")),
  );
  return String(urls) === String(others);
}

/**
 * Put an element in the place of another one. Where browsers can, its state is kept.
 *
 * @param {Element} element
 * @param {Element} other
 */
function move(element, other) {
  if ("moveBefore" in Element.prototype)
    Reflect.get(other.parentNode ?? other, "moveBefore").call(other.parentNode, element, other);
  else other.before(element);
  other.remove();
}

/** @param {EventTarget | null} image */
function markLoaded(image) {
  // The placeholder would show through a transparent picture.
  if (closest(image, PICTURE))
    closest(image, ".file-picture-link, .file-page, .link-preview-picture")?.toggleAttribute("data-loaded", true);
}

/** @param {HTMLElement} button */
function toggleAnimation(button) {
  const picture = /** @type {HTMLElement} */ (closest(button, "[data-picture]"));
  const image = find(picture, PICTURE, HTMLImageElement);
  const isRunning = button.ariaPressed !== "true";
  button.ariaPressed = String(isRunning);
  button.ariaLabel = isRunning ? "Pause animation" : "Play animation";
  const { still = image.getAttribute("src") ?? "", stillSet = image.srcset } = image.dataset;
  Object.assign(image.dataset, { still, stillSet });
  image.srcset = isRunning ? "" : stillSet;
  image.src = isRunning ? (button.dataset.play ?? still) : still;
}
