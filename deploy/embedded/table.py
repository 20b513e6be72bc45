"""What the demo prints when it is ready: who signs in where."""

from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.embedded.paths import Tree


def show(tree: Tree, addresses: list[dict[str, Any]], public_url: str, *, everywhere: bool) -> None:
    """Print addresses, people and their passwords, and where logs and mails are."""
    console = Console(width=None if Console().is_terminal else 120)
    table = Table(title=f"Plexica at {public_url}", title_justify="left", show_lines=False)
    table.add_column("Address", overflow="fold")
    for head in ("Role", "Sign in as", "Password"):
        table.add_column(head, no_wrap=console.is_terminal is False, overflow="fold")
    for address in addresses:
        for number, person in enumerate(address["people"]):
            where = f"{address['name']}\n{address['url']}" if number == 0 else ""
            table.add_row(where, person["role"], person["login"], person["password"])
        table.add_section()
    console.print(table)
    console.print(f"Logs      {tree.shorten(tree.demo / 'logs')}, {tree.shorten(tree.logs)}", highlight=False)
    console.print(f"Mails     {public_url}/inbox/", highlight=False)
    console.print("Settings  . var/demo/env   then manage.py finds the demo", highlight=False)
    if everywhere:
        port = public_url.rpartition(":")[2]
        console.print(
            f"Browsers on other machines need the names above to lead here, for example through"
            f" ssh -L {port}:127.0.0.1:{port} to this machine.",
            highlight=False,
        )
