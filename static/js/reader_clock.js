// Tells the server how this browser shows times, so that pages show them from the first frame.

import { storeCookie } from "./cookies.js";
import { readerClock } from "./core/dates.js";

/** Set the cookie that chatapp/presentation/reader_clock.py reads. */
export const storeReaderClock = () => storeCookie("chatapp_clock", readerClock);
