// Ticked rows of a list: how many, and all of a page at once. The bar itself is shown by CSS.
const picks = () => [...document.querySelectorAll(".plx-pick input")];

function count() {
  const all = picks();
  const picked = all.filter((pick) => pick.checked).length;
  const whole = document.querySelector("[data-px-pick-all]");
  if (whole) {
    whole.checked = picked > 0 && picked === all.length;
    whole.indeterminate = picked > 0 && picked < all.length;
  }
  const shown = document.querySelector("[data-px-picked]");
  if (!shown || shown.textContent === String(picked)) return;
  shown.textContent = picked;
  if (picked) document.getElementById("px-live").textContent = shown.parentElement.textContent.trim();
}

document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-px-pick-all]")) for (const pick of picks()) pick.checked = target.checked;
  if (target.matches("[data-px-pick-all], .plx-pick input")) count();
});
document.addEventListener("reset", ({ target }) => target.matches("#bulk") && setTimeout(count));
document.addEventListener("htmx:afterSettle", count);
addEventListener("pageshow", count);
