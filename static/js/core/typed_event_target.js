// An EventTarget whose events and their details are known to the type checker.

/** @template {Record<string, any>} Details */
export class TypedEventTarget extends EventTarget {
  /**
   * Call `listener` with the detail of each event of this name.
   *
   * @template {keyof Details & string} Name
   * @param {Name} name
   * @param {(detail: Details[Name]) => void} listener
   * @param {{signal?: AbortSignal}} [options] the signal removes the listener
   */
  on(name, listener, options) {
    this.addEventListener(name, (event) => listener(/** @type {CustomEvent} */ (event).detail), options);
  }

  /**
   * @template {keyof Details & string} Name
   * @param {Name} name
   * @param {Details[Name] extends void ? [] : [detail: Details[Name]]} args
   */
  emit(name, ...[detail]) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
