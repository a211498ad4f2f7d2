// Rules for the browser's code and for scripts of the tests.
import js from "@eslint/js";
import globals from "globals";

const sharedGlobals = globals["shared-node-browser"];
const pageGlobals = Object.fromEntries(
  Object.keys(globals.browser)
    .filter((name) => !(name in sharedGlobals))
    .map((name) => [name, "off"]),
);

export default [
  { ignores: ["static/vendor/", "static/dist/", ".venv/"] },
  js.configs.recommended,
  { files: ["static/js/**"], languageOptions: { globals: globals.browser } },
  // The core uses no page: its tests run in Node.
  { files: ["static/js/core/**"], languageOptions: { globals: pageGlobals } },
  { files: ["bin/*.mjs", "tests/**/*.mjs"], languageOptions: { globals: globals.node } },
  {
    rules: {
      complexity: ["error", 10],
      eqeqeq: "error",
      "no-implicit-coercion": "error",
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Insert text with textContent, and HTML only as the server rendered it." },
      ],
      "no-shadow": "error",
      "no-var": "error",
      "prefer-const": "error",
    },
  },
];
