"""Files that browsers get: built from npm packages and our own sources, only when these changed."""

import os
from collections.abc import Mapping
from pathlib import Path

from deploy.embedded.node import bin_folder
from deploy.embedded.paths import Tree
from deploy.embedded.stamps import Stamps, fingerprint, sources
from deploy.embedded.steps import Steps

CATALOGUES = {".po"}
BUILT = ("static/vendor", "deploy/keycloak/themes/plexica/login/resources/fonts")


def path_with_node(tree: Tree, env: Mapping[str, str]) -> str:
    """PATH with our environment first, then the Node that this checkout uses."""
    parts = [str(tree.root / ".venv" / "bin"), env.get("PATH", os.defpath)]
    node = bin_folder(tree.root)
    if str(node) not in parts[1].split(os.pathsep):
        parts.insert(1, str(node))
    return os.pathsep.join(parts)


def build(tree: Tree, steps: Steps, python: Path) -> None:
    """npm packages, what pages take of them, and compiled translations."""
    stamps = Stamps(tree.root / "var" / "stamps.json")
    node = bin_folder(tree.root)
    _packages(tree, steps, stamps, node)
    _vendor(tree, steps, stamps, node)
    _messages(tree, steps, stamps, python)


def _packages(tree: Tree, steps: Steps, stamps: Stamps, node: Path) -> None:
    files = [file for file in (tree.root / "package.json", tree.root / "package-lock.json") if file.exists()]
    mark = fingerprint(tree, files)
    if not files or stamps.is_fresh("packages", mark, [tree.root / "node_modules"]):
        return
    steps.run(
        "npm packages are installed",
        "npm",
        [node / "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
    )
    stamps.put("packages", mark)


def _vendor(tree: Tree, steps: Steps, stamps: Stamps, node: Path) -> None:
    script = tree.root / "static" / "build.mjs"
    if not script.exists():
        return
    mark = fingerprint(tree, [script, script.with_name("icons.txt"), tree.root / "package-lock.json"])
    if stamps.is_fresh("vendor", mark, [tree.root / folder for folder in BUILT]):
        return
    steps.run("the front end is built", "build", [node / "node", script])
    stamps.put("vendor", mark)


def _messages(tree: Tree, steps: Steps, stamps: Stamps, python: Path) -> None:
    catalogues = sources(tree, lambda file: file.suffix in CATALOGUES)
    mark = fingerprint(tree, catalogues)
    results = [file.with_suffix(".mo") for file in catalogues]
    if not catalogues or stamps.is_fresh("messages", mark, results):
        return
    steps.run("translations are compiled", "messages", [python, "-m", "deploy.messages", "compile"])
    stamps.put("messages", mark)
