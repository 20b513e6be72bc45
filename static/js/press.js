// What a press does: theme, menus, dialogs, copying, chart or table. Delegated, so that swapped fragments work too.
const YEAR_S = 31536000;
const root = document.documentElement;
const remember = (name, value) => {
  document.cookie = `${name}=${value}; path=/; max-age=${YEAR_S}; samesite=lax`;
};

function switchTheme() {
  const theme = root.dataset.bsTheme === "dark" ? "light" : "dark";
  root.dataset.bsTheme = theme;
  remember("px_theme", theme);
}

async function copy(button) {
  const value = button.dataset.pxCopy;
  try {
    await navigator.clipboard.writeText(value);
  } catch {
    copyOldWay(value); // plain http on a name other than localhost has no clipboard
  }
  const use = button.querySelector("use");
  const before = use.getAttribute("href");
  use.setAttribute("href", before.replace(/#.*/, "#check"));
  document.getElementById("px-live").textContent = document.getElementById("px-words").dataset.copied;
  setTimeout(() => use.setAttribute("href", before), 1500);
}

function copyOldWay(value) {
  const field = document.createElement("textarea");
  field.value = value;
  field.className = "visually-hidden";
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

function showFace(button) {
  const wanted = button.dataset.pxShow;
  const chart = button.closest("[data-px-chart]");
  for (const face of chart.querySelectorAll("[data-px-face]")) face.hidden = face.dataset.pxFace !== wanted;
  for (const other of chart.querySelectorAll("[data-px-show]")) other.setAttribute("aria-pressed", String(other === button));
}

/** <a data-px-ask> or a form's <button data-px-ask>: what is asked is fetched into the dialog, and focus comes back afterwards. */
function ask(asker, event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return; // in another tab it is a page
  event.preventDefault();
  const fields = asker.form && new URLSearchParams(new FormData(asker.form, asker));
  const menu = asker.closest("[popover]");
  const opener = menu ? document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`) : asker;
  menu?.hidePopover();
  const dialog = document.getElementById("ask");
  htmx.ajax("GET", fields ? `${asker.form.action}?${fields}` : asker.href, { source: asker, target: "#ask", swap: "innerHTML" }).then(() => {
    if (!dialog.childElementCount || dialog.open) return; // refused: the notice says why
    dialog.addEventListener("close", () => { dialog.replaceChildren(); opener.focus(); }, { once: true });
    dialog.showModal();
  });
}

const PRESSES = {
  "[data-px-ask]": ask,
  "[data-px-theme]": switchTheme,
  "[data-px-copy]": copy,
  "[data-px-show]": showFace,
  "[data-px-dialog]": (button) => document.getElementById(button.dataset.pxDialog).showModal(),
  "[data-px-dismiss]": (button) => button.closest("dialog").close(),
  "[data-px-reload]": () => location.reload(),
};
document.addEventListener("click", (event) => {
  for (const [selector, act] of Object.entries(PRESSES)) {
    const button = event.target.closest(selector);
    if (button) act(button, event);
  }
  if (event.target.matches("dialog[open]:not(.is-static)")) event.target.close(); // a press on the ground beside it
});

// <input data-px-confirm="acme-corp">: the deed waits until exactly that is typed.
document.addEventListener("input", ({ target }) => {
  const wanted = target.dataset?.pxConfirm;
  if (wanted) target.form.querySelector("[type=submit]").disabled = target.value.trim() !== wanted;
});

// Menus are popovers: the browser opens, closes and layers them. Here: where they stand, and the arrow keys.
const GAP = 4;
document.addEventListener("toggle", ({ target: menu, newState }) => {
  if (newState !== "open" || !menu.matches?.(".dropdown-menu[popover]")) return;
  const button = document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
  const at = button.getBoundingClientRect();
  const below = at.bottom + GAP + menu.offsetHeight <= innerHeight;
  menu.style.top = `${below ? at.bottom + GAP : Math.max(GAP, at.top - GAP - menu.offsetHeight)}px`;
  menu.style.left = `${Math.max(GAP, Math.min(at.right - menu.offsetWidth, innerWidth - menu.offsetWidth - GAP))}px`;
}, true);
document.addEventListener("keydown", (event) => {
  const opener = event.target.closest?.("[data-px-menu]");
  const menu = event.target.closest?.(".dropdown-menu[popover]") ?? document.getElementById(opener?.getAttribute("popovertarget"));
  if (!menu || !["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return;
  event.preventDefault();
  if (!menu.matches(":popover-open")) menu.showPopover();
  const items = [...menu.querySelectorAll(".dropdown-item")];
  const now = items.indexOf(document.activeElement);
  const next = { ArrowDown: (now + 1) % items.length, ArrowUp: (now <= 0 ? items.length : now) - 1, Home: 0, End: items.length - 1 };
  items[next[event.key]].focus();
});
addEventListener("scroll", () => document.querySelector(".dropdown-menu:popover-open")?.hidePopover(), { passive: true, capture: true });
