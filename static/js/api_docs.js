/* global SwaggerUIBundle */
// The page to try the API: calls are made with the session that one is signed in with, or with a token that is entered.

const place = document.querySelector("[data-api-document]");

SwaggerUIBundle({
  domNode: place,
  url: place.dataset.apiDocument,
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor(request) {
    request.headers["X-CSRFToken"] = place.dataset.csrfToken;
    return request;
  },
});
