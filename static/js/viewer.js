// The viewer: a dialog that shows a picture as large as the window, with zoom, and leads to the next one. It is loaded when
// somebody opens a picture, and imports nothing: what it had in common with the page would be a third file.

const MAX_ZOOM = 8;
const ZOOM_STEP = 1.5;

/** What a click on a picture enlarges it by. */
const CLICK_ZOOM = 2.5;

/** A finger that moves further has swiped; a mouse has dragged. */
const SWIPE_PX = 50;
const DRAG_PX = 4;

export class Viewer {
  #dialog;
  #find;
  #stage;
  #image;
  /** @type {HTMLElement[]} the links to the pictures of the page, in the order of the messages */
  #links = [];
  #index = 0;
  #zoom = 1;
  /** @type {{x: number, y: number, left: number, top: number} | null} where the pointer was pressed */
  #pressed = null;
  #wasDragged = false;

  /**
   * @param {HTMLDialogElement} dialog
   * @param {typeof import("./dom.js").find} find
   */
  constructor(dialog, find) {
    this.#dialog = dialog;
    this.#find = find;
    this.#stage = find(dialog, "[data-viewer-stage]");
    this.#image = find(dialog, "[data-viewer-image]", HTMLImageElement);
    dialog.addEventListener("click", ({ target }) => this.#onClick(target));
    dialog.addEventListener("keydown", (event) => this.#onKeydown(event));
    dialog.addEventListener("close", () => this.#onClose());
    // Each picture has its own element, and these events do not bubble.
    this.#stage.addEventListener("error", () => this.#onError(), { capture: true });
    this.#stage.addEventListener("load", () => (this.#image.style.backgroundImage = ""), { capture: true });
    this.#stage.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
    this.#stage.addEventListener("pointerdown", (event) => this.#onPress(event));
    this.#stage.addEventListener("pointermove", (event) => this.#onMove(event));
    this.#stage.addEventListener("pointerup", (event) => this.#onRelease(event));
    this.#stage.addEventListener("pointercancel", () => (this.#pressed = null));
    window.addEventListener("resize", () => dialog.open && this.#resize());
    // Two fingers: the browser zooms, and one finger then moves the picture.
    visualViewport?.addEventListener("resize", () => dialog.classList.toggle("is-pinched", this.#isPinched));
  }

  /**
   * @param {HTMLElement} link
   * @param {HTMLElement[]} links to the pictures that it leads to, in their order
   */
  open(link, links) {
    this.#links = links;
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#show(links.indexOf(link));
  }

  /** @param {number} index */
  #show(index) {
    const link = this.#links[index];
    if (!(link instanceof HTMLAnchorElement)) return;
    this.#index = index;
    this.#zoom = 1;
    const { name = "" } = link.dataset;
    const alt = link.querySelector(".file-image")?.getAttribute("alt") ?? name;
    this.#load(link, alt);
    this.#find(this.#dialog, "[data-viewer-error]").hidden = true;
    this.#find(this.#dialog, "[data-viewer-name]").textContent = name;
    const caption = this.#find(this.#dialog, "[data-viewer-caption]");
    caption.textContent = alt === name ? "" : alt;
    const { length } = this.#links;
    this.#find(this.#dialog, "[data-viewer-position]").textContent = length > 1 ? `${index + 1} of ${length}` : "";
    const download = this.#find(this.#dialog, "[data-viewer-download]", HTMLAnchorElement);
    download.href = `${link.href}?download=1`;
    download.download = name;
    for (const [selector, step] of /** @type {const} */ ([
      ["previous", -1],
      ["next", 1],
    ]))
      this.#find(this.#dialog, `[data-viewer-${selector}]`).hidden = !this.#links[index + step];
    this.#resize();
    this.#preload(index + 1);
  }

  /**
   * @param {HTMLAnchorElement} link
   * @param {string} alt
   */
  #load(link, alt) {
    this.#replaceImage();
    // On a slow network the picture is blurred at first.
    const thumbnail = link.querySelector(".file-image");
    if (thumbnail instanceof HTMLImageElement && thumbnail.currentSrc)
      this.#image.style.backgroundImage = `url(${JSON.stringify(thumbnail.currentSrc)})`;
    this.#image.alt = alt;
    this.#image.src = link.dataset.view ?? "";
  }

  /** Remove the picture. An element with another address would show the old one until the new one is loaded. */
  #replaceImage() {
    const image = /** @type {HTMLImageElement} */ (this.#image.cloneNode());
    image.hidden = false;
    image.alt = "";
    image.removeAttribute("src");
    image.style.backgroundImage = "";
    this.#image.replaceWith(image);
    this.#image = image;
  }

  /** @param {number} index */
  #preload(index) {
    const view = this.#links[index]?.dataset.view;
    if (view) new Image().src = view;
  }

  /** Return false at the first or the last picture. @param {1 | -1} step */
  #go(step) {
    const { activeElement } = document;
    if (!this.#links[this.#index + step]) return;
    this.#show(this.#index + step);
    // The button of the last picture is gone.
    if (activeElement instanceof HTMLElement && !activeElement.checkVisibility()) this.#stage.focus();
  }

  /**
   * Set the zoom, so that the point of the picture below the given one of the window stays there.
   *
   * @param {number} zoom
   * @param {{clientX: number, clientY: number}} [point] by default the middle of the window
   */
  #setZoom(zoom, point = { clientX: innerWidth / 2, clientY: innerHeight / 2 }) {
    const before = this.#image.getBoundingClientRect();
    const [x, y] = [(point.clientX - before.left) / before.width, (point.clientY - before.top) / before.height];
    this.#zoom = Math.min(MAX_ZOOM, Math.max(1, zoom));
    this.#resize();
    const after = this.#image.getBoundingClientRect();
    this.#stage.scrollLeft += after.left + x * after.width - point.clientX;
    this.#stage.scrollTop += after.top + y * after.height - point.clientY;
  }

  #resize() {
    const link = this.#links[this.#index];
    const { width, height, view } = link?.dataset ?? {};
    const [naturalWidth, naturalHeight] = [Number(width), Number(height)];
    const { clientWidth, clientHeight } = this.#stage;
    const scale = Math.min(1, clientWidth / naturalWidth, clientHeight / naturalHeight) * this.#zoom;
    this.#image.style.width = `${naturalWidth * scale}px`;
    this.#image.style.height = `${naturalHeight * scale}px`;
    this.#dialog.classList.toggle("is-zoomed", this.#zoom > 1);
    // The thumbnail is shown until the original is loaded.
    const hasMorePixels = this.#image.complete && this.#image.naturalWidth < naturalWidth;
    if (this.#zoom > 1 && hasMorePixels && this.#image.getAttribute("src") === view)
      this.#image.src = link?.getAttribute("href") ?? view;
    this.#find(this.#dialog, "[data-viewer-zoom-in]", HTMLButtonElement).disabled = this.#zoom >= MAX_ZOOM;
    this.#find(this.#dialog, "[data-viewer-zoom-out]", HTMLButtonElement).disabled = this.#zoom <= 1;
  }

  /** @param {EventTarget | null} target */
  #onClick(target) {
    /** @param {string} name */
    const isOn = (name) => target instanceof Element && target.closest(`[data-viewer-${name}]`) !== null;
    if (isOn("close")) this.#dialog.close();
    else if (isOn("previous")) this.#go(-1);
    else if (isOn("next")) this.#go(1);
    else if (isOn("zoom-in")) this.#setZoom(this.#zoom * ZOOM_STEP);
    else if (isOn("zoom-out")) this.#setZoom(this.#zoom / ZOOM_STEP);
    else if (target === this.#stage && !this.#wasDragged) this.#dialog.close();
  }

  /** @param {KeyboardEvent} event */
  #onKeydown(event) {
    const action = this.#findAction(event);
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {(() => void) | undefined}
   */
  #findAction({ key }) {
    /** @type {Record<string, () => void>} */
    const actions = {
      "+": () => this.#setZoom(this.#zoom * ZOOM_STEP),
      "=": () => this.#setZoom(this.#zoom * ZOOM_STEP),
      "-": () => this.#setZoom(this.#zoom / ZOOM_STEP),
      0: () => this.#setZoom(1),
    };
    // The keys move an enlarged picture.
    if (this.#zoom > 1) return actions[key];
    return { ...actions, ArrowLeft: () => this.#go(-1), ArrowRight: () => this.#go(1) }[key];
  }

  /** @param {WheelEvent} event */
  #onWheel(event) {
    // A gesture with two fingers on a touchpad counts as this key.
    if (!event.ctrlKey) return;
    event.preventDefault();
    this.#setZoom(this.#zoom * Math.exp(-event.deltaY / 200), event);
  }

  /** @param {PointerEvent} event */
  #onPress(event) {
    const { clientX: x, clientY: y, isPrimary, button, pointerType, pointerId } = event;
    // A second finger: the browser zooms.
    this.#pressed = null;
    this.#wasDragged = false;
    if (!isPrimary || button !== 0) return;
    this.#pressed = { x, y, left: this.#stage.scrollLeft, top: this.#stage.scrollTop };
    if (pointerType !== "mouse") return;
    this.#stage.setPointerCapture(pointerId);
    // The browser would drag the picture away.
    event.preventDefault();
    this.#stage.focus();
  }

  /** @param {PointerEvent} event */
  #onMove({ clientX, clientY, pointerType }) {
    if (!this.#pressed || pointerType !== "mouse") return;
    const { x, y, left, top } = this.#pressed;
    this.#wasDragged ||= Math.hypot(clientX - x, clientY - y) > DRAG_PX;
    this.#stage.scrollTo(left + x - clientX, top + y - clientY);
  }

  /** @param {PointerEvent} event */
  #onRelease(event) {
    if (!this.#pressed) return;
    const [x, y] = [event.clientX - this.#pressed.x, event.clientY - this.#pressed.y];
    this.#pressed = null;
    if (this.#isPinched) return;
    this.#wasDragged ||= this.#isOnImage(event);
    const isClick = Math.hypot(x, y) <= DRAG_PX;
    if (isClick && this.#isOnImage(event)) return this.#setZoom(this.#zoom > 1 ? 1 : CLICK_ZOOM, event);
    if (event.pointerType !== "mouse" && this.#zoom === 1) this.#swipe(x, y);
  }

  get #isPinched() {
    return (visualViewport?.scale ?? 1) > 1;
  }

  /**
   * Show another picture, or close the viewer if the finger moved up or down.
   *
   * @param {number} x
   * @param {number} y
   */
  #swipe(x, y) {
    if (Math.hypot(x, y) <= SWIPE_PX) return;
    this.#wasDragged = true;
    if (Math.abs(y) > Math.abs(x)) this.#dialog.close();
    else this.#go(x < 0 ? 1 : -1);
  }

  /** @param {{clientX: number, clientY: number}} point */
  #isOnImage({ clientX, clientY }) {
    const { left, right, top, bottom } = this.#image.getBoundingClientRect();
    return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
  }

  #onError() {
    this.#image.hidden = true;
    this.#find(this.#dialog, "[data-viewer-error]").hidden = false;
  }

  #onClose() {
    this.#replaceImage();
    this.#links = [];
  }
}
