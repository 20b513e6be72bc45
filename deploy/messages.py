"""Translations without gettext's tools: `python -m deploy.messages extract | compile | check`.

    extract   collects the texts of templates, Python and JavaScript into locale/*/LC_MESSAGES/django.po;
              translations stay, texts that are gone leave, a text that changed a little is marked fuzzy
    compile   writes the .mo beside each .po, when it is missing or older
    check     fails when a text lacks its translation, a placeholder is lost, or a template shows a text
              that no translator can reach

English is the source and has no catalogue.
"""

import argparse
import io
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from deploy.literal_text import find_literal_text

ROOT = Path(__file__).resolve().parent.parent
DOMAIN = "django"
NOT_SOURCES = {
    "benchmarks",
    "bin",
    "deploy",
    "docs",
    "locale",
    "migrations",
    "node_modules",
    "site",
    "staticfiles",
    "tests",
    "var",
    "vendor",
}
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
NOISE = re.compile(  # dates and people that change, or that nobody fills in
    r'^"(Project-Id-Version|Report-Msgid-Bugs-To|POT-Creation-Date|PO-Revision-Date|Last-Translator|Language-Team'
    r'|Generated-By): .*"\n',
    re.MULTILINE,
)
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z]|\{\w*\}|</?[a-z]+")


@dataclass(frozen=True)
class Source:
    """A file that may hold texts, and how to read it."""

    path: Path
    kind: str  # template | python | javascript


def find_sources(root: Path) -> Iterator[Source]:
    """Walks the tree in a stable order, past what is generated, installed or never shown to a person."""
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if name not in NOT_SOURCES and name[0] != ".")
        here = Path(folder)
        in_templates = "templates" in here.relative_to(root).parts
        for name in sorted(names):
            match Path(name).suffix:
                case ".html" | ".txt" if in_templates:
                    yield Source(here / name, "template")
                case ".py":
                    yield Source(here / name, "python")
                case ".js" | ".mjs":
                    yield Source(here / name, "javascript")


def extract_texts(root: Path) -> Catalog:
    """Reads every text that code marks for translation; the catalogue has no translations."""
    catalog = Catalog(domain=DOMAIN, charset="utf-8")
    for source in find_sources(root):
        origin = source.path.relative_to(root).as_posix()
        method = "javascript" if source.kind == "javascript" else "python"
        for line, text, comments, context in extract(
            method, _readable(source, origin), KEYWORDS, comment_tags=("Translators",)
        ):
            catalog.add(text, locations=[(origin, line)], auto_comments=comments, context=context)
    return catalog


def _readable(source: Source, origin: str) -> BinaryIO:
    if source.kind != "template":
        return io.BytesIO(source.path.read_bytes())
    calls = templatize(source.path.read_text(encoding="utf-8"), origin=origin)
    # The parentheses keep Python's tokenizer from reading the template's indentation as blocks.
    return io.BytesIO(f"({calls}\n)".encode())


def find_catalogs(root: Path) -> list[Path]:
    return sorted(root.glob(f"locale/*/LC_MESSAGES/{DOMAIN}.po"))


def read_catalog(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3], domain=DOMAIN)


def write_catalog(path: Path, catalog: Catalog) -> None:
    catalog.header_comment = f"# Plexica in {catalog.locale.english_name if catalog.locale else '?'}."
    catalog.fuzzy = False
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=100, include_lineno=False, ignore_obsolete=True, sort_by_file=True)
    path.write_text(NOISE.sub("", buffer.getvalue().decode()), encoding="utf-8")


def update_catalogs(root: Path, *, also: tuple[str, ...] = ()) -> list[Path]:
    """Brings every language's .po up to date with the code and begins those in `also` that are missing.

    Neither dates nor line numbers are written, so nothing changes when no text did.
    """
    texts = extract_texts(root)
    for language in also:
        path = root / "locale" / language / "LC_MESSAGES" / f"{DOMAIN}.po"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_catalog(path, Catalog(locale=language, domain=DOMAIN, charset="utf-8"))
    paths = find_catalogs(root)
    for path in paths:
        catalog = read_catalog(path)
        catalog.update(texts, update_header_comment=False)
        write_catalog(path, catalog)
    return paths


def compile_catalogs(root: Path) -> list[Path]:
    """Writes the .mo of every .po that changed since. Safe while others read or do the same."""
    written = []
    for path in find_catalogs(root):
        compiled = path.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime >= path.stat().st_mtime:
            continue
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        with unfinished.open("wb") as file:
            write_mo(file, read_catalog(path))
        unfinished.replace(compiled)
        written.append(compiled)
    return written


def find_problems(root: Path) -> list[str]:
    """Says, a line each, what keeps a person from reading everything in their language."""
    paths = find_catalogs(root)
    if not paths:
        return ["There is no catalogue under locale/. Run: python -m deploy.messages extract"]
    problems = []
    for source in find_sources(root):
        if source.kind == "template":
            origin = source.path.relative_to(root).as_posix()
            template = source.path.read_text(encoding="utf-8")
            problems += [f"{origin}:{found}" for found in find_literal_text(template, is_html=origin.endswith(".html"))]
    texts = extract_texts(root)
    for path in paths:
        catalog = read_catalog(path)
        name = path.relative_to(root).as_posix()
        for text in texts:
            if text.id and (reason := _what_is_wrong(text, catalog.get(text.id, text.context), catalog.num_plurals)):
                problems.append(f"{name}: {reason}: {_forms(text.id)[0]!r} ({text.locations[0][0]})")
    return problems


def _what_is_wrong(text: Message, translated: Message | None, num_plurals: int) -> str | None:
    if translated is None:
        return "is missing, run extract"
    if translated.fuzzy:
        return "is fuzzy"
    forms, sources = _forms(translated.string), _forms(text.id)
    if not all(forms) or len(forms) != (1 if len(sources) == 1 else num_plurals):
        return "is not translated"
    may = {name for source in sources for name in PLACEHOLDER.findall(source)}
    must = set(PLACEHOLDER.findall(sources[-1]))
    for form in forms:
        has = set(PLACEHOLDER.findall(form))
        if not has <= may or (form is forms[-1] and has != must):
            return "has other placeholders or tags"
    return None


def _forms(text: str | tuple[str, ...] | list[str] | None) -> list[str]:
    """Singular and plural, or the one form that there is."""
    return [text] if isinstance(text, str) else list(text or ())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.messages",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=["extract", "compile", "check"])
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree to work on (default: this one)")
    parser.add_argument("--language", action="append", default=["it"], help="extract: begin this language too")
    options = parser.parse_args(arguments)
    match options.action:
        case "extract":
            for path in update_catalogs(options.root, also=tuple(options.language)):
                texts = [text for text in read_catalog(path) if text.id]
                left = sum(text.fuzzy or not all(_forms(text.string)) for text in texts)
                print(f"{path.relative_to(options.root)}: {left} left to translate")
        case "compile":
            for path in compile_catalogs(options.root):
                print(f"wrote {path.relative_to(options.root)}")
        case "check":
            problems = find_problems(options.root)
            for problem in problems:
                print(problem, file=sys.stderr)
            return 1 if problems else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
