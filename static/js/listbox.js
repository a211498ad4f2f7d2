// The suggestions for a field. The focus stays in the field, which references the selected option.

/**
 * A list of options, one of which is selected. The field is a combobox, which exposes whether the list is open, or a
 * multi-line text field. The latter cannot be a combobox: it only references the selected option while the list is open.
 */
export class Listbox {
  #field;
  #list;

  /**
   * @param {HTMLElement} field
   * @param {HTMLElement} list
   */
  constructor(field, list) {
    this.#field = field;
    this.#list = list;
  }

  get isOpen() {
    return !this.#list.hidden;
  }

  /** @returns {HTMLElement | null} */
  get selected() {
    return this.#list.querySelector("[aria-selected=true]");
  }

  /**
   * Show options, and select the first one by default. Close the list if there are none.
   *
   * @param {HTMLElement[]} options
   * @param {{isFirstSelected?: boolean}} [settings]
   */
  show(options, { isFirstSelected = true } = {}) {
    this.#list.replaceChildren(...options);
    if (options.length === 0) return this.close();
    this.#list.hidden = false;
    this.#setExpanded(true);
    this.select((isFirstSelected && options[0]) || null);
  }

  close() {
    this.#list.hidden = true;
    this.#setExpanded(false);
    this.#field.removeAttribute("aria-activedescendant");
  }

  /** @param {boolean} isExpanded */
  #setExpanded(isExpanded) {
    if (!(this.#field instanceof HTMLTextAreaElement)) this.#field.setAttribute("aria-expanded", String(isExpanded));
  }

  /**
   * @param {Element | null} option
   * @param {{isScrolled?: boolean}} [options]
   */
  select(option, { isScrolled = true } = {}) {
    if (!option) return this.#field.removeAttribute("aria-activedescendant");
    for (const other of this.#list.children) other.ariaSelected = String(other === option);
    this.#field.setAttribute("aria-activedescendant", option.id);
    if (isScrolled) option.scrollIntoView({ block: "nearest" });
  }

  /**
   * Select the next or the previous option, wrapping around at the ends of the list.
   *
   * @param {1 | -1} step
   */
  move(step) {
    const options = [...this.#list.children];
    const index = this.selected ? options.indexOf(this.selected) : -step;
    this.select(options.at((index + step) % options.length) ?? null);
  }
}
