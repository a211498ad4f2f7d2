// Tells the server how this browser shows times, so that pages show them from the first frame.

import { storeCookie } from "./cookies.js";
import { adoptReaderZone, findReaderClock, isoDay } from "./core/dates.js";
import { onPageReturn } from "./page_focus.js";

/** Set the cookie that chatapp/presentation/reader_clock.py reads. */
export const storeReaderClock = () => storeCookie("chatapp_clock", findReaderClock());

/**
 * Call `listener` when what a page shows of days and times has become wrong: after midnight, and when the browser has
 * another time zone. A timer stands still while the computer sleeps, so that is checked when somebody returns, too.
 *
 * @param {() => void} listener
 * @param {AbortSignal} [signal] ends it; without one it goes on as long as the window is open
 */
export function onLocalTimeChange(listener, signal) {
  const find = () => `${isoDay(new Date())} ${findReaderClock()}`;
  let known = find();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function wait() {
    clearTimeout(timer);
    timer = setTimeout(check, new Date().setHours(24, 0, 1, 0) - Date.now());
  }

  function check() {
    wait();
    const current = find();
    if (current === known) return;
    known = current;
    adoptReaderZone();
    listener();
  }

  wait();
  onPageReturn(check, signal);
  signal?.addEventListener("abort", () => clearTimeout(timer), { once: true });
}
