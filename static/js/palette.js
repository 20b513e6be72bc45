// The command palette: Ctrl-K or / opens it, htmx fetches what fits, the arrows move, Enter goes there.
const dialog = document.getElementById("palette");
const input = document.getElementById("palette-input");
const list = document.getElementById("palette-list");
const options = () => [...list.querySelectorAll('[role="option"]:not([aria-disabled])')];

function open() {
  if (dialog.open || document.querySelector("dialog[open]:not(.is-static)")) return;
  input.value = "";
  dialog.showModal();
  input.dispatchEvent(new CustomEvent("px:ask"));
}

function choose(option) {
  for (const other of options()) other.setAttribute("aria-selected", String(other === option));
  if (option) input.setAttribute("aria-activedescendant", option.id);
  else input.removeAttribute("aria-activedescendant");
  option?.scrollIntoView({ block: "nearest" });
}

list.addEventListener("htmx:afterSwap", () => {
  input.setAttribute("aria-expanded", "true");
  choose(options()[0]);
});
list.addEventListener("pointermove", ({ target }) => {
  const option = target.closest('[role="option"]:not([aria-disabled])');
  if (option && option.getAttribute("aria-selected") !== "true") choose(option);
});
input.addEventListener("keydown", (event) => {
  const all = options();
  const now = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    choose(all[(now + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length]);
  } else if (event.key === "Enter") {
    event.preventDefault();
    all[now]?.click();
  }
});
dialog.addEventListener("close", () => {
  input.setAttribute("aria-expanded", "false");
  list.replaceChildren();
});

document.addEventListener("click", ({ target }) => target.closest("[data-px-palette-open]") && open());
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea, select, [contenteditable]");
  const asked = (event.key === "k" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !typing && !event.ctrlKey && !event.altKey);
  if (!asked) return;
  event.preventDefault();
  open();
});
