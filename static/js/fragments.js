// htmx around the edges: the CSRF token, errors, focus after a swap, polls that change nothing.
const say = (notice) => document.dispatchEvent(new CustomEvent("px:notice", { detail: notice }));

document.addEventListener("htmx:configRequest", ({ detail }) => {
  detail.headers["X-CSRFToken"] = document.querySelector('meta[name="csrf-token"]').content;
});

// A poll that answers what is shown already is not swapped in: spinners keep turning, focus and selection stay.
const lastAnswers = new Map();
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const { target, xhr } = detail;
  if (!target.matches("[data-px-poll]") || xhr.status !== 200) return;
  if (lastAnswers.get(target.id) === xhr.responseText) detail.shouldSwap = false;
  lastAnswers.set(target.id, xhr.responseText);
});

// What had the focus and was replaced has it again: found by its id, else the swapped part takes it.
let focused = null;
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const active = document.activeElement;
  focused = active && active !== document.body && detail.target.contains(active) ? active.id || "" : null;
});
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  const wrong = detail.elt.querySelector?.("[data-px-errors]");
  if (wrong) return; // forms.js takes it from here
  if (focused === null || (document.activeElement && document.activeElement !== document.body)) return;
  const heir = (focused && document.getElementById(focused)) || detail.elt.closest("[tabindex]") || document.getElementById("main");
  focused = null;
  heir?.focus({ preventScroll: true });
});

// Text in [data-px-say] of what was swapped in is read aloud when it changes, from a region that stays.
let said = document.querySelector("[data-px-say]")?.dataset.pxSay ?? "";
document.addEventListener("htmx:afterSettle", ({ detail: { elt } }) => {
  const source = elt.matches?.("[data-px-say]") ? elt : elt.querySelector?.("[data-px-say]");
  const next = source?.dataset.pxSay;
  if (!next || next === said) return;
  said = next;
  document.getElementById("px-live").textContent = next;
});

/** What a refused request says of itself: a notice fragment, problem+json, or nothing that we can read. */
function readProblem(xhr) {
  const kind = xhr.getResponseHeader("Content-Type") ?? "";
  if (kind.includes("json")) {
    try {
      const { title, detail, reference } = JSON.parse(xhr.responseText);
      return { title, detail, reference };
    } catch {
      return {};
    }
  }
  const notice = new DOMParser().parseFromString(xhr.responseText, "text/html").querySelector("[data-px-notice]");
  const read = (name) => notice?.querySelector(`[data-px-${name}]`)?.textContent.trim();
  return { title: read("title"), detail: read("detail"), reference: read("reference") };
}

document.addEventListener("htmx:responseError", ({ detail }) => {
  const problem = readProblem(detail.xhr);
  const words = document.getElementById("px-words").dataset;
  say({
    title: problem.title || words.failed,
    detail: problem.detail || (problem.title ? "" : words.failedDetail),
    reference: problem.reference || detail.xhr.getResponseHeader("X-Request-ID"),
  });
});
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, () => {
    const words = document.getElementById("px-words").dataset;
    say({ title: words.offline, detail: words.offlineDetail });
  });
}
