// The library that converts HTML to Markdown. bin/setup copies it from its npm package (turndown.d.ts has the types).

export { default as Turndown } from "../vendor/turndown.browser.es.js";
