"""Check this machine before a night (`sweep doctor`). Each finding says what to do."""

import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import click

from scheduler.artefacts import Artefacts
from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.cli.probe import ProbeResult, probe_service
from scheduler.cli.service_facts_text import describe_facts
from scheduler.errors import SchedulerError, ServiceRefused, StoreUnavailable
from scheduler.notify.outbox import list_troubled_webhooks
from scheduler.prepare import read_price_book
from scheduler.processes.addresses import is_up, read_addresses
from scheduler.processes.rehearsals import check_rehearsal
from scheduler.proxies import find_proxy, list_proxies
from scheduler.service_check import CONSOLE, list_served_models
from scheduler.services import OFFLINE_KEY
from scheduler.settings import Settings, read_settings
from scheduler.state.bug_log import describe_bug, read_bugs
from scheduler.state.connection import check_server, connect
from scheduler.state.missing_rights import read_refusal
from scheduler.state.server.durability import list_risks
from scheduler.state.server.embedded_redis import describe_server, open_server
from scheduler.state.server.failover import read_books
from scheduler.state.server.server_versions import is_tested
from scheduler.state.service_facts import ALL, LACKED, read_known_accounts
from scheduler.waiting_reasons import describe_books
from sweeps.errors import SweepsError
from sweeps.formatting import format_count, format_duration

SUPPORTED = ((0, 38), (0, 39))  # the SDK: from, and below; pyproject.toml pins the same
ENOUGH_DISK = 2e9  # bytes: checkpoints of an offline night take a few hundred megabytes


class Finding(NamedTuple):
    """The result of one check."""

    check: str
    verdict: str  # ok, note or wrong
    message: str


@click.command()
@click.option(
    "--live",
    is_flag=True,
    help="Also measure limits and billing that the service does not document, for less than $0.05.",
)
@click.option("--model", help="Model for --live. [default: the cheapest]")
@click.option(
    "--clients",
    default=16,
    type=click.IntRange(0, 1000),
    show_default=True,
    help="With --live: open at most this many training clients.",
)
@click.pass_obj
def doctor(output: Output, live: bool, model: str | None, clients: int) -> None:
    """Check this machine and say how to fix problems."""
    if not live and model is not None:
        raise click.UsageError("--model needs --live")
    settings = read_settings()
    checks = (*CHECKS, partial(_check_live, model, clients)) if live else (*CHECKS, _check_accounts)
    findings = [finding for check in checks for finding in _run_check(check, settings)]
    if output.for_people:
        output.print_table(
            [{"check": check, "status": verdict, "message": message} for check, verdict, message in findings]
        )
    else:
        output.print_rows("findings", [finding._asdict() for finding in findings])
    wrong = [finding.check for finding in findings if finding.verdict == "wrong"]
    if wrong:
        raise SchedulerError(f"not ready: fix {', '.join(wrong)}")


def _run_check(check_one: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    try:
        yield from check_one(settings)
    except (SchedulerError, SweepsError, OSError) as error:
        name = getattr(check_one, "__name__", "live").removeprefix("_check_").replace("_", " ")
        yield Finding(name, "wrong", str(error))


def _check_python(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001 - every check takes the settings
    yield Finding("python", "ok", f"{sys.version.split()[0]}, tinker {version('tinker')}, celery {version('celery')}")
    least, below = SUPPORTED
    if not least <= tuple(map(int, version("tinker").split(".")[:2])) < below:
        expected = f"expected tinker {'.'.join(map(str, least))}, got {version('tinker')}"
        yield Finding("sdk", "wrong", f"{expected}; run `make setup` (docs/reference/service.md)")


def _check_packages(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    """Another package may have one of our generic names, which would show as an odd AttributeError."""
    root = Path(__file__).resolve().parents[2]
    for name in ("sweeps", "scheduler", "worker", "tinker_offline"):
        folder = Path(str(importlib.import_module(name).__file__)).resolve().parent
        if folder != root / name:
            yield Finding(
                "packages", "wrong", f"`{name}`: expected {root / name}, got {folder}: another package hides it"
            )
            return
    yield Finding("packages", "ok", f"imported from {root}")


def _check_state_folder(settings: Settings) -> Iterator[Finding]:
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(settings.home).free
    verdict = "ok" if free > ENOUGH_DISK else "wrong"
    hint = "" if verdict == "ok" else "; free some space, or set SWEEP_HOME to another disk"
    yield Finding("state folder", verdict, f"{settings.home}, {free / 1e9:.1f} GB free{hint}")


def _check_redis(settings: Settings) -> Iterator[Finding]:
    with open_server(settings) as url:
        client = connect(url)
        server = check_server(client, url)
        yield Finding("redis", "ok" if is_tested(server) else "note", describe_server(server, url, settings))
        yield from (Finding("redis", "note", risk) for risk in list_risks(client, url))
        client.close()


def _check_result_files(settings: Settings) -> Iterator[Finding]:
    artefacts = Artefacts(settings.store)
    artefacts.read(artefacts.write("doctor/probe", b"writable"))
    yield Finding("result files", "ok", artefacts.url)


def _check_prices(settings: Settings) -> Iterator[Finding]:
    book = read_price_book(settings)
    if settings.prices is not None:
        yield Finding(
            "prices",
            "ok",
            f"{settings.prices} overrides the built-in prices: {format_count(len(book.prices), 'row')} in all",
        )


def _check_rehearsal(settings: Settings) -> Iterator[Finding]:
    check_rehearsal(settings)
    if settings.rehearsal is not None:
        ignored = "" if settings.offline_url is None else " (ignored by the tinker_offline at SWEEP_OFFLINE_URL)"
        yield Finding("rehearsal", "note", f"{settings.rehearsal}{ignored}: offline failures are rehearsed on purpose")


def _check_cache(settings: Settings) -> Iterator[Finding]:
    settings.cache.mkdir(parents=True, exist_ok=True)
    if not os.access(settings.cache, os.W_OK):
        yield Finding("cache", "wrong", f"cannot write to {settings.cache}; set SWEEP_CACHE to a writable folder")


def _check_tinker_offline(settings: Settings) -> Iterator[Finding]:
    """Check the server that SWEEP_OFFLINE_URL names; `sweep up` checks the one that it starts."""
    url = settings.offline_url
    if url is None:
        return
    try:
        served = list_served_models(url, OFFLINE_KEY)
    except ServiceRefused:
        fault = f"SWEEP_OFFLINE_URL={url}: no tinker_offline answers; start it, or unset the variable"
        yield Finding("tinker_offline", "wrong", fault)
    else:
        yield Finding("tinker_offline", "ok", f"{format_count(len(served), 'model')} at {url}")


def _check_tinker(settings: Settings) -> Iterator[Finding]:
    key = os.environ.get("TINKER_API_KEY")
    if not key:
        yield Finding("tinker", "note", f"TINKER_API_KEY is not set: offline models only; get a key at {CONSOLE}")
        return
    url = settings.tinker_url
    through = find_proxy(url)
    by = f", through the proxy {through}" if through else ""
    served = list_served_models(url, key)
    if served:
        yield Finding("tinker", "ok", f"{len(served)} models at {url}{by}")
    else:
        lists = f"it lists no models (`get_server_capabilities`): {LACKED['capabilities']}"
        yield Finding("tinker", "note", f"{url} answers{by}; {lists}")


def _check_proxy(settings: Settings) -> Iterator[Finding]:
    """Name the proxies; whether the service is reached through one is in its own line."""
    named = ", ".join(f"{name}={where}" for name, where in list_proxies().items())
    if named:
        url = settings.tinker_url
        used = "used for the service" if find_proxy(url) else f"not used for {url} because of NO_PROXY"
        yield Finding("proxy", "note", f"{named}: {used}; never used for this machine or webhooks")


def _check_processes(settings: Settings) -> Iterator[Finding]:
    if not is_up(settings.home):
        yield Finding("processes", "note", "not running: `sweep run` and `sweep up` start them")
        return
    addresses = read_addresses(settings.home)
    flower = f"Flower at {addresses.flower_url}" if addresses and addresses.flower_url else "Flower is off"
    yield Finding("processes", "ok", f"running, {flower}" if addresses else "starting")


def _check_accounts(settings: Settings) -> Iterator[Finding]:
    """Report what an earlier `--live` found out."""
    try:
        with open_store(settings) as store:
            known = read_known_accounts(store)
    except StoreUnavailable:  # reported by another check
        return
    for facts in known:
        if facts.times:
            yield Finding(f"account {facts.service}", "note" if facts.moments is False else "ok", describe_facts(facts))
        for lack in facts.lacks:
            ago = format_duration(time.time() - lack.at.timestamp())
            yield Finding(f"account {facts.service}", "note", f"{lack.describe(facts.service)} (asked {ago} ago)")
    if os.environ.get("TINKER_API_KEY") and "tinker" not in {facts.service for facts in known}:
        yield Finding("account tinker", "note", "not probed yet; run `sweep doctor --live`")


def _check_live(model: str | None, clients: int, settings: Settings) -> Iterator[Finding]:
    with open_store(settings) as store:
        result = probe_service(store, settings, model=model, clients=clients)
    for answer in result.report.answers:
        odd = answer.answer in UNEXPECTED or (answer.what == "calls" and answer.answer != ALL)
        yield Finding(answer.what, "note" if odd else "ok", f"{answer.answer}: {answer.detail}")
    yield from _list_totals(result)


def _list_totals(result: ProbeResult) -> Iterator[Finding]:
    if result.busy:
        yield Finding("clients", "note", "not probed while stages run, to keep their slots free")
    yield Finding("models", "ok", f"{len(result.models)}: {', '.join(result.models)}")
    yield Finding("cost", "ok", f"at most ${result.report.usd:.4f} for {result.report.tokens} tokens of {result.model}")


UNEXPECTED = ("no", "unknown", "pending")


def _check_webhooks(settings: Settings) -> Iterator[Finding]:
    for variable in settings.notify:
        if not os.environ.get(variable):
            yield Finding("webhooks", "note", f"SWEEP_NOTIFY names {variable}, which is not set here")
    with suppress(StoreUnavailable), open_store(settings) as store:  # reported by another check
        for trouble in list_troubled_webhooks(store):
            yield Finding("webhooks", "note", str(trouble))


def _check_bugs(settings: Settings) -> Iterator[Finding]:
    with suppress(StoreUnavailable), open_store(settings) as store:  # reported by another check
        if refusal := read_refusal(store.client):
            yield Finding("rights", "wrong", refusal)
        if doubt := describe_books(books := read_books(store)):
            yield Finding("books", "wrong" if books.closed else "note", doubt)
        now = store.scripts.read_time()
        for bug in read_bugs(store):
            yield Finding("bugs", "wrong" if bug.stops(now) else "note", describe_bug(bug))


CHECKS = (
    _check_python,
    _check_packages,
    _check_state_folder,
    _check_cache,
    _check_bugs,
    _check_redis,
    _check_result_files,
    _check_prices,
    _check_tinker_offline,
    _check_rehearsal,
    _check_proxy,
    _check_tinker,
    _check_webhooks,
    _check_processes,
)
commands = {"doctor": doctor}
