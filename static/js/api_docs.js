// Swagger UI, told by data attributes what to show: no script in the page, no script made by the server.
const place = document.getElementById("swagger-ui");

const csrf = document.querySelector('meta[name="csrf-token"]').content;

SwaggerUIBundle({
  url: place.dataset.pxSchemaUrl,
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: false, // a link inside a button cannot be reached by keyboard
  persistAuthorization: false,
  displayRequestDuration: true,
  defaultModelsExpandDepth: -1,
  showMutatedRequest: false, // the curl line is to be copied: it must not carry this session's token
  requestInterceptor: (request) => {
    const isOurs = new URL(request.url, location.href).origin === location.origin;
    if (isOurs && !["GET", "HEAD", undefined].includes(request.method)) request.headers["X-CSRFToken"] = csrf;
    return request;
  },
});

// Swagger UI leaves out what assistive technology needs; React keeps attributes that it did not write.
const MENDS = [
  [".opblock-tag", { "aria-level": "2" }],
  [".opblock-body h4", { "aria-level": "3" }],
  [".opblock-body h5", { "aria-level": "4" }],
  [".information-container", { role: "region", "aria-label": place.dataset.pxTitle }],
  [".scheme-container", { role: "region", "aria-label": place.dataset.pxAccess }],
  [".model-box-control, .models-control", { "aria-level": "3" }],
];
function mend() {
  for (const [selector, attributes] of MENDS) {
    for (const part of place.querySelectorAll(selector)) {
      for (const [name, value] of Object.entries(attributes)) if (part.getAttribute(name) !== value) part.setAttribute(name, value);
    }
  }
}
new MutationObserver(mend).observe(place, { childList: true, subtree: true });
