// The API reference, where requests can be tried with the login session or with a token.

import { find } from "./dom.js";

const { SwaggerUIBundle } = /** @type {any} */ (window);
const element = find(document, "[data-api-document]");

SwaggerUIBundle({
  domNode: element,
  url: element.dataset.apiDocument,
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor(/** @type {{headers: Record<string, string | undefined>}} */ request) {
    request.headers["X-CSRFToken"] = element.dataset.csrfToken;
    return request;
  },
});
