"""Finds text in a Django template that stands outside every translation tag."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from django.template.base import Lexer, TokenType

SHOWN_ATTRIBUTES = {
    "alt",
    "aria-description",
    "aria-label",
    "aria-roledescription",
    "aria-valuetext",
    "placeholder",
    "title",
}
NOT_PROSE = {"code", "kbd", "pre", "samp", "script", "style"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
WORD = re.compile(r"[^\W\d_]{2,}")
# Names that no language changes, entities, and what a block gives to a tag's inside: attributes and our class names.
NO_WORDS = re.compile(r"""\b(?:Plexica|API|OpenAPI)\b|&\w+;|[\w-]+="[^"]*"|\bplx-[\w-]+""")
INCLUDED_LITERAL = re.compile(r"""(\w+)=(?:"([^"]*)"|'([^']*)')""")
PROSE = re.compile(r"^[A-Z][a-z]+\b|\w \w")


def find_literal_text(template: str, *, is_html: bool = True) -> list[str]:
    """Lists `line: text` for words that a person sees and no catalogue holds.

    An element with the attribute `translate="no"`, as HTML has it, may keep its words;
    so may code and keys.
    """
    literal = "".join(_without_template_tags(template))
    if is_html:
        reader = _Reader()
        reader.feed(literal)
        reader.close()
        found = reader.found
    else:
        found = [(number, line) for number, line in enumerate(literal.split("\n"), 1) if _has_words(line)]
    found += _given_to_includes(template)
    return [f"{line}: {' '.join(text.split())[:60]}" for line, text in sorted(found)]


def _without_template_tags(template: str) -> Iterator[str]:
    """Leaves out tags and whatever a translation tag or a comment encloses, but no line break."""
    enclosing = None
    line = 1
    for token in Lexer(template).tokenize():
        starts_at = token.lineno or line
        yield "\n" * (starts_at - line)
        line = max(line, starts_at)
        name = token.contents.partition(" ")[0] if token.token_type == TokenType.BLOCK else ""
        if enclosing:
            if name == f"end{enclosing}":
                enclosing = None
        elif name in {"blocktrans", "blocktranslate", "comment"}:
            enclosing = name
        elif token.token_type == TokenType.TEXT:
            yield token.contents
            line += token.contents.count("\n")
        elif token.token_type == TokenType.VAR or name in {"trans", "translate", "url", "static"}:
            yield "·"  # something is shown here, but no word of ours


def _given_to_includes(template: str) -> Iterator[tuple[int, str]]:
    for token in Lexer(template).tokenize():
        if token.token_type == TokenType.BLOCK and token.contents.startswith("include "):
            for key, double, single in INCLUDED_LITERAL.findall(token.contents):
                if key != "name" and PROSE.search(NO_WORDS.sub("", double or single)):
                    yield token.lineno or 1, double or single


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[tuple[int, str]] = []
        self.open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        silent = self._is_silent() or tag in NOT_PROSE or values.get("translate") == "no"
        if not silent:
            for name in sorted(SHOWN_ATTRIBUTES & values.keys()):
                self._note(values[name] or "")
        if tag not in VOID:
            self.open.append((tag, silent))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        names = [name for name, _ in self.open]
        if tag in names:  # both branches of an {% if %} stand here one after the other: tags need not pair up
            del self.open[len(names) - 1 - names[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if not self._is_silent():
            self._note(data)

    def _is_silent(self) -> bool:
        return bool(self.open) and self.open[-1][1]

    def _note(self, text: str) -> None:
        if _has_words(text):
            before = text[: len(text) - len(text.lstrip())]
            self.found.append((self.getpos()[0] + before.count("\n"), text))


def _has_words(text: str) -> bool:
    return bool(WORD.search(NO_WORDS.sub("", text)))
