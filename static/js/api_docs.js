// Swagger UI, told by data attributes what to show: no script in the page, no script made by the server.
const place = document.getElementById("swagger-ui");

const csrf = document.querySelector('meta[name="csrf-token"]').content;
SwaggerUIBundle({
  url: place.dataset.pxSchemaUrl,
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  persistAuthorization: false,
  displayRequestDuration: true,
  defaultModelsExpandDepth: -1,
  requestInterceptor: (request) => {
    const isOurs = new URL(request.url, location.href).origin === location.origin;
    if (isOurs && !["GET", "HEAD", undefined].includes(request.method)) request.headers["X-CSRFToken"] = csrf;
    return request;
  },
});
