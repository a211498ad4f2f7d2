// The suggestions of a field. The focus stays in the field, which names the selected option.

/**
 * A list of options of which one is selected. The field is a combobox, which tells whether the list is open, or a text
 * with several lines: such a field can be no combobox, and only names the option while there is one.
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
   * Show options, and select the first one. Without any, the list is closed.
   *
   * @param {HTMLElement[]} options
   */
  show(options) {
    this.#list.replaceChildren(...options);
    if (options.length === 0) return this.close();
    this.#list.hidden = false;
    this.#setExpanded(true);
    this.select(options[0] ?? null);
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
   * Select the option after the selected one, or before it. The first one follows the last one.
   *
   * @param {1 | -1} step
   */
  move(step) {
    const options = [...this.#list.children];
    const index = this.selected ? options.indexOf(this.selected) : -step;
    this.select(options.at((index + step) % options.length) ?? null);
  }
}
