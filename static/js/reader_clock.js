// Tells the server how this browser shows times, so that pages show them from the first frame.

import { readerClock } from "./core/dates.js";

const YEAR_S = 365 * 24 * 60 * 60;

/** Set the cookie that chatapp/presentation/reader_clock.py reads. */
export function storeReaderClock() {
  const cookie = `chatapp_clock=${readerClock}`;
  if (document.cookie.split("; ").includes(cookie)) return;
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${cookie}; path=/; max-age=${YEAR_S}; samesite=lax${secure}`;
}
