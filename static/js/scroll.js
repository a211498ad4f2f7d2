/** So near to the end counts as at the end. */
const NEAR = 48;

/**
 * Stay at the newest message while one is there. Who has scrolled up is left where he is, and told of what is new.
 */
export class Scroller {
  #button;
  #isFollowing = true;
  #lastTop = 0;

  constructor(view, list, button) {
    this.view = view;
    this.#button = button;

    view.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    button.addEventListener("click", () => this.toEnd());
    list.addEventListener("message:arrived", () => this.#isFollowing || this.#label("New messages"));
    const resizes = new ResizeObserver(() => this.#isFollowing && this.toEnd());
    resizes.observe(view);
    resizes.observe(list);
  }

  get isAtEnd() {
    return this.#isFollowing;
  }

  toEnd() {
    this.#isFollowing = true;
    this.view.scrollTop = this.view.scrollHeight;
    this.#button.hidden = true;
  }

  /** Change what lies above the view without moving what is in it. */
  async holdStill(anchor, change) {
    const before = anchor.getBoundingClientRect().top;
    change();
    // What arranges the messages does so in a microtask after they have changed.
    await Promise.resolve();
    this.view.scrollTop += anchor.getBoundingClientRect().top - before;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.view;
    const wasFollowing = this.#isFollowing;
    // Only a move upwards is a wish to leave: the end also gets away when a message is drawn.
    if (scrollHeight - scrollTop - clientHeight <= NEAR) this.#isFollowing = true;
    else if (scrollTop < this.#lastTop) this.#isFollowing = false;
    this.#lastTop = scrollTop;
    if (wasFollowing && !this.#isFollowing) this.#label("Jump to latest");
    this.#button.hidden = this.#isFollowing;
  }

  #label(words) {
    this.#button.querySelector("[data-jump-to-latest-label]").textContent = words;
  }
}
