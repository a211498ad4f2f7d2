// Cookies with which the server renders pages as this browser shows them.

const YEAR_S = 365 * 24 * 60 * 60;

/**
 * Return the value of a cookie; the empty text if there is none.
 *
 * @param {string} name
 */
export function readCookie(name) {
  const start = `${name}=`;
  const cookie = document.cookie.split("; ").find((text) => text.startsWith(start));
  return cookie?.slice(start.length) ?? "";
}

/**
 * @param {string} name
 * @param {string} value
 */
export function storeCookie(name, value) {
  if (readCookie(name) === value) return;
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${name}=${value}; path=/; max-age=${YEAR_S}; samesite=lax${secure}`;
}
