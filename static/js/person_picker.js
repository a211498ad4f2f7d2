// A field for people: typing suggests them, and those chosen are shown as chips. Without JavaScript, usernames are typed.

import { rank } from "./core/ranking.js";
import { closest, find, findAll } from "./dom.js";
import { Listbox } from "./listbox.js";
import { namedPeople, OptionSource } from "./option_source.js";

/** Number of suggestions that are shown. */
const MAX_SUGGESTIONS = 8;

/** What is typed within this time is requested at once. */
const DEBOUNCE_MS = 120;

/** The form sends each chip as a value of the field. */
export class PersonPicker {
  #element;
  #field;
  #chips;
  #status;
  #listbox;
  #source;
  #name;
  /** Whether the person looks for somebody: options that arrive later are not shown any more. */
  #isSuggesting = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {HTMLElement} element */
  constructor(element) {
    const options = find(element, "[role=listbox]");
    this.#element = element;
    this.#field = find(element, "input[type=text]", HTMLInputElement);
    this.#chips = find(element, "[data-chips]");
    this.#status = find(element, "[data-picker-status]");
    this.#listbox = new Listbox(this.#field, options);
    this.#source = new OptionSource((text) => `${options.dataset.source}?text=${encodeURIComponent(text)}`);
    this.#name = element.dataset.name ?? "";
    this.#becomeCombobox(options.id);

    this.#field.addEventListener("input", () => this.#onInput());
    this.#field.addEventListener("click", () => this.#suggest());
    this.#field.addEventListener("keydown", (event) => this.#onKeydown(event));
    this.#field.addEventListener("blur", () => this.#close());
    options.addEventListener("pointerdown", (event) => {
      // The focus stays in the field.
      event.preventDefault();
    });
    options.addEventListener("click", ({ target }) => this.#add(closest(target, "[role=option]")));
    this.#chips.addEventListener("click", ({ target }) => this.#onChipClick(target));
    // What was typed and not chosen may be a username.
    this.#field.form?.addEventListener("submit", () => {
      this.#field.name = this.#field.value.trim() ? this.#name : "";
    });
  }

  /** @param {string} optionsId */
  #becomeCombobox(optionsId) {
    this.#field.removeAttribute("name");
    this.#field.required = false;
    this.#field.role = "combobox";
    this.#field.ariaAutoComplete = "list";
    this.#field.ariaExpanded = "false";
    this.#field.setAttribute("aria-controls", optionsId);
  }

  get #chosen() {
    return findAll(this.#chips, "input").map((input) => /** @type {HTMLInputElement} */ (input).value);
  }

  #onInput() {
    this.#suggest();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#request(this.#field.value.trim()), DEBOUNCE_MS);
  }

  #suggest() {
    this.#isSuggesting = true;
    this.#request("");
    const { excluded = "", max = "" } = this.#element.dataset;
    const chosen = this.#chosen;
    const isFull = max !== "" && chosen.length >= Number(max);
    this.#status.textContent = isFull ? `You can choose at most ${max} people.` : "";
    const hidden = new Set([...excluded.split(" "), ...chosen]);
    const people = namedPeople(this.#source.options.values()).filter(({ key }) => !hidden.has(key));
    const wanted = this.#field.value.trim().replace(/^@/, "");
    const found = isFull ? [] : rank(people, wanted, []).slice(0, MAX_SUGGESTIONS);
    this.#listbox.show(found.map(({ element }) => element));
    if (wanted && this.#source.isComplete && found.length === 0 && !isFull) {
      this.#status.textContent = `Nobody found for “${wanted}”`;
    }
  }

  /** @param {string} text */
  async #request(text) {
    if ((await this.#source.request(text)) && this.#isSuggesting) this.#suggest();
  }

  #close() {
    this.#isSuggesting = false;
    clearTimeout(this.#timer);
    this.#listbox.close();
  }

  /** @param {HTMLElement | null} option */
  #add(option) {
    if (!option) return;
    const { username = "", name = "" } = option.dataset;
    const template = find(this.#element, "template", HTMLTemplateElement);
    const chip = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    find(chip, "[data-label]").textContent = name;
    Object.assign(find(chip, "input", HTMLInputElement), { name: this.#name, value: username });
    find(chip, "button").ariaLabel = `Remove ${name}`;
    this.#chips.append(chip);
    this.#field.value = "";
    this.#close();
    this.#status.textContent = `${name} added`;
    this.#field.focus();
  }

  /** @param {EventTarget | null} target */
  #onChipClick(target) {
    if (closest(target, "button")) this.#remove(closest(target, "li"));
  }

  /** @param {Element | null | undefined} chip */
  #remove(chip) {
    if (!chip) return;
    this.#status.textContent = `${find(chip, "[data-label]").textContent} removed`;
    chip.remove();
    this.#field.focus();
  }

  /** @param {KeyboardEvent} event */
  #onKeydown(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const isHandled = this.#listbox.isOpen ? this.#onListKey(event.key) : this.#onFieldKey(event.key);
    if (!isHandled && !this.#removesChip(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * Handle a key while suggestions are shown. Returns whether it has a meaning.
   *
   * @param {string} key
   */
  #onListKey(key) {
    if (key === "ArrowDown") this.#listbox.move(1);
    else if (key === "ArrowUp") this.#listbox.move(-1);
    else if (key === "Escape") this.#close();
    else if (key === "Enter" || (key === "Tab" && this.#field.value)) this.#add(this.#listbox.selected);
    else return false;
    return true;
  }

  /** @param {string} key */
  #onFieldKey(key) {
    if (key !== "ArrowDown") return false;
    this.#suggest();
    return true;
  }

  /** @param {string} key */
  #removesChip(key) {
    if (key !== "Backspace" || this.#field.value !== "") return false;
    this.#remove(this.#chips.lastElementChild);
    return true;
  }
}
