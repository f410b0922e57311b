"""`sweep health`: is a part of the fleet healthy, for the probes of containers."""

import socket

import click

from scheduler.cli.console.output import Output
from scheduler.processes.health_checks import PARTS, Unhealthy, check_health
from scheduler.settings import read_settings


@click.command()
@click.argument("part", type=click.Choice(PARTS))
@click.option("--anywhere", is_flag=True, help="On any machine of the fleet, not on this one alone.")
@click.option("--liveness", is_flag=True, help="Also succeed if Redis does not answer: for probes that restart.")
@click.pass_obj
def health(output: Output, part: str, anywhere: bool, liveness: bool) -> None:
    """For probes: exit with 0 if one part works, such as the page.

    PART is scheduler, worker, page, flower or redis. The exit status is 0 if that is healthy, and 1 if not; one line
    says why. The command starts nothing.
    """
    found_health = check_health(read_settings(), part, None if anywhere else socket.gethostname())
    if not output.for_people:
        output.print_rows("health", [{"part": part, **found_health._asdict()}])
    text = f"{part}: {found_health.text}"
    if not (found_health.healthy or (found_health.healthy is None and liveness)):
        raise Unhealthy(text)
    if output.for_people:
        output.say(text)


commands = {"health": health}
