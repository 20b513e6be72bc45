// Puts into static/vendor/ just the files of node_modules that pages use, and draws the icon sprite. The fonts go to the
// theme of Keycloak's pages, too, which are served from elsewhere.
// Plain Node. A second run writes nothing that is already right. `--check` only reports icons that are not listed.
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const vendor = join(root, "static", "vendor");
const theme = join(root, "deploy/keycloak/themes/plexica/login/resources");

const FILES = {
  "tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
  "htmx.min.js": "htmx.org/dist/htmx.min.js",
  "fonts/inter-latin-wght-normal.woff2": "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
  "fonts/inter-latin-ext-wght-normal.woff2": "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2",
};
const LOOKED_AT = /\.(html|txt|py)$/;
const PASSED_BY = new Set([".git", ".venv", "node_modules", "static", "staticfiles", "var", "site", "tests", "docs"]);
// {% icon "plus" %}, {% include "..." with icon="plus" %}, MenuItem(icon="plus"), {"icon": "plus"}
const NAMED = [/\{%\s*icon\s+"([a-z0-9-]+)"/g, /\bicon=["']([a-z0-9-]+)["']/g, /["']?icon["']?:\s*["']([a-z0-9-]+)["']/g];

const fail = (text) => {
  console.error(text);
  process.exit(1);
};

/** The names in static/icons.txt, one a line. */
const listedIcons = () =>
  readFileSync(join(root, "static", "icons.txt"), "utf8").split("\n").map((line) => line.trim()).filter((line) => line && !line.startsWith("#"));

/** Every icon that a template or a Python file names, with the first file that does. */
function usedIcons(folder = root, found = new Map()) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!PASSED_BY.has(entry.name)) usedIcons(path, found);
    } else if (LOOKED_AT.test(entry.name)) {
      const text = readFileSync(path, "utf8");
      for (const pattern of NAMED) for (const [, name] of text.matchAll(pattern)) if (!found.has(name)) found.set(name, relative(root, path));
    }
  }
  return found;
}

/** One Tabler icon as a symbol; the class .icon gives its size and stroke. */
function drawSymbol(name) {
  const filled = name.endsWith("-filled");
  const path = join(modules, "@tabler/icons/icons", filled ? "filled" : "outline", `${name.replace(/-filled$/, "")}.svg`);
  let source;
  try {
    source = readFileSync(path, "utf8");
  } catch {
    fail(`static/icons.txt names ${name}, which @tabler/icons does not have.`);
  }
  const inside = source.replace(/^[\s\S]*?<svg[^>]*>|<\/svg>\s*$/g, "").replace(/<path stroke="none"[^>]*\/>|\s*\n\s*/g, "");
  return `<symbol id="${name}" viewBox="0 0 24 24">${inside}</symbol>`;
}

/** Write unless the file already says so: its time stays, so that collectstatic has nothing to copy. */
function put(path, content) {
  try {
    if (statSync(path).size === content.length && readFileSync(path).equals(content)) return false;
  } catch {
    mkdirSync(dirname(path), { recursive: true });
  }
  writeFileSync(path, content);
  return true;
}

/** Without its last comment: the map it names is three times the file, and manifest storage insists on finding it. */
const withoutSourceMap = (content) => Buffer.from(content.toString("utf8").replace(/\n?\/[*/]# sourceMappingURL=[^\n]*\s*$/, "\n"));

function removeStrangers(wanted, folder = vendor) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) removeStrangers(wanted, path);
    else if (!wanted.has(relative(vendor, path).replaceAll("\\", "/"))) rmSync(path);
  }
}

const listed = new Set(listedIcons());
const unlisted = [...usedIcons()].filter(([name]) => !listed.has(name));
if (unlisted.length) fail(`Add to static/icons.txt: ${unlisted.map(([name, path]) => `${name} (${path})`).join(", ")}`);

if (!process.argv.includes("--check")) {
  let written = 0;
  for (const [name, source] of Object.entries(FILES)) {
    let content;
    try {
      content = readFileSync(join(modules, source));
    } catch {
      fail(`node_modules/${source} is missing. Run: npm ci --ignore-scripts`);
    }
    written += put(join(vendor, name), /\.(css|js)$/.test(name) ? withoutSourceMap(content) : content);
    if (name.startsWith("fonts/")) put(join(theme, name), content);
  }
  const symbols = [...listed].sort().map(drawSymbol).join("");
  written += put(join(vendor, "icons.svg"), Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg">${symbols}</svg>\n`));
  removeStrangers(new Set([...Object.keys(FILES), "icons.svg"]));
  console.log(`static/vendor: ${written} of ${Object.keys(FILES).length + 1} files written, ${listed.size} icons`);
}
