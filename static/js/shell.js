// The sidebar: folded to icons on a desk (the cookie px_sidebar lets the server draw it so), a drawer on a phone.
const root = document.documentElement;
const main = document.querySelector(".plx-main");
const scrim = document.querySelector(".plx-scrim");
const opener = document.querySelector("[data-px-drawer-open]");
const fold = document.querySelector("[data-px-collapse]");

fold.addEventListener("click", () => {
  const folded = root.dataset.pxSidebar !== "collapsed";
  root.dataset.pxSidebar = folded ? "collapsed" : "";
  fold.setAttribute("aria-expanded", String(!folded));
  document.cookie = `px_sidebar=${folded ? "collapsed" : ""}; path=/; max-age=31536000; samesite=lax`;
  nameItems();
});

// A folded entry shows its name as the browser's tooltip; screen readers read the hidden text anyway.
function nameItems() {
  const folded = root.dataset.pxSidebar === "collapsed";
  for (const item of document.querySelectorAll(".plx-sidebar .plx-nav-item")) {
    if (folded) item.title = item.querySelector(".plx-nav-text").textContent;
    else item.removeAttribute("title");
  }
}
nameItems();

function setDrawer(open) {
  if (open) root.dataset.pxDrawer = "open";
  else delete root.dataset.pxDrawer;
  main.inert = open;
  scrim.hidden = !open;
  opener.setAttribute("aria-expanded", String(open));
  const heir = open ? document.querySelector(".plx-nav [aria-current]") ?? document.querySelector(".plx-nav a") : opener;
  requestAnimationFrame(() => requestAnimationFrame(() => heir?.focus())); // a frame later the drawer is no longer hidden
}
opener.addEventListener("click", () => setDrawer(true));
for (const closer of document.querySelectorAll("[data-px-drawer-close]")) closer.addEventListener("click", () => setDrawer(false));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && root.dataset.pxDrawer) setDrawer(false);
});
matchMedia("(min-width: 62rem)").addEventListener("change", ({ matches }) => matches && root.dataset.pxDrawer && setDrawer(false));
