"""`sweep web`: serve the page of this fleet, or print a link that logs in to it."""

from importlib import import_module

import click

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.errors import SchedulerError, SettingInvalid
from scheduler.processes.addresses import is_up, read_addresses
from scheduler.processes.page_links import describe_link, describe_page
from scheduler.settings import read_settings

NO_PAGE = "`sweep up` and `sweep run` serve no page here; start one of them, or `sweep web`, which prints its own link"
SERVER = "web.page_server"  # by name: the page knows the scheduler, and not the other way round


@click.command()
@click.option("--link", is_flag=True, help="Only print a link that logs you in once to the page that is served here.")
@click.pass_obj
def web(output: Output, link: bool) -> None:
    """Serve the page: sweeps and the fleet, live in a browser.

    `sweep up` and `sweep run` start it by themselves. SWEEP_PAGE says where it listens.
    """
    settings = read_settings()
    if link:
        addresses = read_addresses(settings.home) if is_up(settings.home) else None
        if addresses is None or not addresses.page_url:
            raise SchedulerError(NO_PAGE)
        with open_store(settings) as store:
            output.say(describe_link(store, settings, addresses.page_url))
        return
    if settings.observation.page is None:
        raise SettingInvalid("SWEEP_PAGE: expected a port or HOST:PORT to serve the page at, got off")
    with open_store(settings) as store:
        serve = import_module(SERVER).serve
        serve(store, settings, lambda url: output.say(describe_page(store, settings, url)))


commands = {"web": web}
