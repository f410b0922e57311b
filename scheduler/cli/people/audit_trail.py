"""Print who changed what (`sweep audit`)."""

import time

import click

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.settings import read_settings
from scheduler.state.people.audit_log import AuditLine, read_audit
from sweeps.formatting import format_count


@click.command()
@click.option(
    "--last", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most this many changes."
)
@click.pass_obj
def audit(output: Output, last: int) -> None:
    """Show who changed what, when, and from where, newest last."""
    with open_store(read_settings()) as store:
        lines = read_audit(store, last=last)
    output.print_rows("changes", [_make_row(line, output) for line in lines], title=format_count(len(lines), "change"))


def _make_row(line: AuditLine, output: Output) -> dict[str, str | float]:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line.at / 1000)) if output.for_people else line.at / 1000
    return {
        "at": at,
        "who": line.who,
        "from": line.origin,
        "what": line.what,
        "target": line.target,
        "detail": line.detail,
    }


commands = {"audit": audit}
