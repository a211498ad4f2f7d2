// Cookies by which the page's script tells the server how this browser shows pages.

const YEAR_S = 365 * 24 * 60 * 60;

/**
 * @param {string} name
 * @param {string} value
 */
export function storeCookie(name, value) {
  const cookie = `${name}=${value}`;
  if (document.cookie.split("; ").includes(cookie)) return;
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${cookie}; path=/; max-age=${YEAR_S}; samesite=lax${secure}`;
}
