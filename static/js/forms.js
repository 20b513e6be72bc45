// Forms: focus on what is wrong, no second press, a warning before typed text is lost, show password, slug from name.
const CONTROLS = "input:not([type=hidden]), select, textarea";

function focusFirstError(within) {
  const wrong = within.querySelector('[aria-invalid="true"]');
  const summary = within.querySelector("[data-px-errors]");
  (wrong ?? summary)?.focus();
}
if (document.querySelector("[data-px-errors]")) focusFirstError(document);
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  if (detail.elt.querySelector?.("[data-px-errors]")) focusFirstError(detail.elt);
});

// The button shows that it works, and a form that is on its way is not sent again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "dialog") return;
  if (form.dataset.pxSent) {
    event.preventDefault();
    return;
  }
  const button = event.submitter;
  const isLocal = form.matches("[role=search]");
  // After the event: a disabled or changed button would not be part of what is sent.
  setTimeout(() => {
    if (event.defaultPrevented && !form.matches("[hx-post], [hx-get]")) return;
    if (isLocal) return;
    form.dataset.pxSent = "yes";
    button?.setAttribute("aria-busy", "true");
    guarded.delete(form);
  });
});
const release = (form) => {
  delete form.dataset.pxSent;
  for (const button of form.querySelectorAll('[aria-busy="true"]')) button.removeAttribute("aria-busy");
};
document.addEventListener("htmx:afterRequest", ({ detail }) => detail.elt.matches("form") && release(detail.elt));
addEventListener("pageshow", (event) => event.persisted && document.querySelectorAll("form").forEach(release)); // back button

// A plain button that asks the server through htmx is busy until the answer is there.
document.addEventListener("htmx:beforeRequest", ({ detail }) => detail.elt.matches("button") && detail.elt.setAttribute("aria-busy", "true"));
document.addEventListener("htmx:afterRequest", ({ detail }) => detail.elt.matches("button") && detail.elt.removeAttribute("aria-busy"));

// <form data-px-guard>: leaving with changes asks first.
const guarded = new Set();
document.addEventListener("input", ({ target }) => {
  const form = target.form;
  if (form?.matches("[data-px-guard]")) isChanged(form) ? guarded.add(form) : guarded.delete(form);
});
const isChanged = (form) =>
  [...form.querySelectorAll(CONTROLS)].some((field) => {
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.options) return [...field.options].some((option) => option.selected !== option.defaultSelected);
    return field.value !== field.defaultValue;
  });
addEventListener("beforeunload", (event) => {
  if ([...guarded].some((form) => form.isConnected)) event.preventDefault();
});

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-px-reveal]");
  if (!button) return;
  const field = document.getElementById(button.dataset.pxReveal);
  const shown = field.type === "text";
  field.type = shown ? "password" : "text";
  button.setAttribute("aria-pressed", String(!shown));
  const use = button.querySelector("use");
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, shown ? "#eye" : "#eye-off"));
});

// <input data-px-slug-from="id of the name">: follows the name until somebody types in it.
const slugify = (text) =>
  text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^[-0-9]+|-+$/g, "").slice(0, 48).replace(/-+$/, "");
for (const slug of document.querySelectorAll("[data-px-slug-from]")) {
  const name = document.getElementById(slug.dataset.pxSlugFrom);
  let followed = slug.value === "" || slug.value === slugify(name.value);
  slug.addEventListener("input", (event) => event.isTrusted && (followed = slug.value === ""));
  name.addEventListener("input", () => {
    if (!followed) return;
    slug.value = slugify(name.value);
    slug.dispatchEvent(new Event("input", { bubbles: true }));
  });
}
