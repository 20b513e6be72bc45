// A workspace that is being set up: ask until the answer is another than 503, then open the page.
const EVERY_MS = 1000;

async function ask() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.status !== 503) return location.reload();
  } catch {
    // The server is away for a moment: ask again.
  }
  setTimeout(ask, EVERY_MS);
}
setTimeout(ask, EVERY_MS);
