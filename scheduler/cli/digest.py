"""Print a sweep in a few lines (`sweep digest`): the same text that a notice sends."""

from dataclasses import asdict
from typing import Any

import click

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.notify.digest import Digest
from scheduler.notify.digest import build_digest as read
from scheduler.settings import read_settings
from sweeps.stage import to_dollars


@click.command()
@click.argument("name")
@click.pass_obj
def digest(output: Output, name: str) -> None:
    """Sum up NAME: progress, cost, best results, failures, time left."""
    settings = read_settings()
    with open_store(settings) as store:
        summary = read(store, name, settings.store)
    if output.form == "json":
        output.print_document(_make_document(summary))
    elif output.form == "csv":
        output.print_csv([_make_document(summary)])
    else:
        output.say(f"{name} is {summary.state}\n{summary.text}")


def _make_document(summary: Digest) -> dict[str, Any]:
    document = asdict(summary) | {"conclusion": summary.conclusion.document()}
    document["incidents"] = summary.incidents._asdict()
    spent, limit = document.pop("spent"), document.pop("limit")
    failures = [cause._asdict() for cause in summary.failures]
    return document | {"failures": failures, "spent_usd": to_dollars(spent), "budget_usd": to_dollars(limit)}


commands = {"digest": digest}
