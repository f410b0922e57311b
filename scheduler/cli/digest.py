"""`sweep digest`: a sweep in a few lines, as a notice tells its end."""

from dataclasses import asdict
from typing import Any

import click

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.notify.digest import Digest
from scheduler.notify.digest import build_digest as read
from scheduler.settings import from_environment


@click.command()
@click.argument("name")
@click.pass_obj
def digest(output: Output, name: str) -> None:
    """Tell NAME in a few lines. They say what is done, its cost, what is best, what to look at, how long yet."""
    with open_store(from_environment()) as store:
        found = read(store, name)
    if output.form == "json":
        output.document(_document(found))
    elif output.form == "csv":
        output.csv([_document(found)])
    else:
        output.say(f"{name} is {found.state}\n{found.text}")


def _document(found: Digest) -> dict[str, Any]:
    document = asdict(found)
    spent, limit = document.pop("spent"), document.pop("limit")
    causes = [cause._asdict() for cause in found.look_at]
    return document | {"look_at": causes, "usd": spent / 1e6, "limit_usd": None if limit is None else limit / 1e6}


commands = {"digest": digest}
