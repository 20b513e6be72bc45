// Toasts, which the page brings along, and error notices: whoever has one to show sends an event
//   px:notice {title, detail, reference}
const STAYS_MS = 6000;
const region = document.getElementById("px-toasts");

function announce(text) {
  const live = document.getElementById("px-live");
  live.textContent = "";
  setTimeout(() => (live.textContent = text), 50);
}

function leaveLater(toast) {
  if (["bad", "warn"].includes(toast.dataset.tone)) return;
  let timer = setTimeout(() => toast.remove(), STAYS_MS);
  const wait = () => clearTimeout(timer);
  const go = () => (timer = setTimeout(() => toast.remove(), STAYS_MS));
  toast.addEventListener("pointerenter", wait);
  toast.addEventListener("pointerleave", go);
  toast.addEventListener("focusin", wait);
  toast.addEventListener("focusout", go);
}

document.addEventListener("px:notice", ({ detail: { title, detail, reference } }) => {
  const twin = [...region.querySelectorAll("[data-px-title]")].find((shown) => shown.textContent === title);
  const notice = document.getElementById("px-notice").content.firstElementChild.cloneNode(true);
  notice.querySelector("[data-px-title]").textContent = title;
  notice.querySelector("[data-px-detail]").textContent = detail ?? "";
  if (reference) notice.querySelector("[data-px-reference]").textContent = reference;
  else notice.querySelector("[data-px-reference-line]").remove();
  if (twin) {
    twin.closest("[data-px-notice]").replaceWith(notice); // said once, however often a poll fails
    return;
  }
  region.append(notice);
  announce([title, detail].filter(Boolean).join(". "));
});

region.addEventListener("click", (event) => {
  if (event.target.closest("[data-px-close]")) event.target.closest("[data-px-toast], [data-px-notice]").remove();
});

const waiting = [...region.querySelectorAll("[data-px-toast]")];
waiting.forEach(leaveLater);
if (waiting.length) announce(waiting.map((toast) => toast.querySelector("[data-px-text]").textContent).join(". "));
