// The API reference, where requests can be tried with the login session or with a token.

import { find } from "./dom.js";

const { SwaggerUIBundle } = /** @type {any} */ (window);
const element = find(document, "[data-api-document]");

// Swagger UI has the colors of its dark mode with this class only.
const darkMode = matchMedia("(prefers-color-scheme: dark)");
const followScheme = () => document.documentElement.classList.toggle("dark-mode", darkMode.matches);
darkMode.addEventListener("change", followScheme);
followScheme();

SwaggerUIBundle({
  domNode: element,
  url: element.dataset.apiDocument,
  // The links to operations would be inside the buttons that open them.
  deepLinking: false,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor(/** @type {{headers: Record<string, string | undefined>}} */ request) {
    request.headers["X-CSRFToken"] = element.dataset.csrfToken;
    return request;
  },
});
