"""`sweep doctor`: is everything here that a night needs? Each finding says what would be right."""

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
from scheduler.notify.outbox import describe_troubled_webhooks
from scheduler.prepare import read_price_book
from scheduler.processes.addresses import is_up, read_addresses
from scheduler.proxies import list_proxies, proxy_for
from scheduler.rehearsals import check_rehearsal
from scheduler.service_check import served_models
from scheduler.services import OFFLINE_KEY
from scheduler.settings import Settings, from_environment
from scheduler.state.bug_log import describe_bug, read_bugs
from scheduler.state.connection import check_server, connect
from scheduler.state.server.embedded_redis import describe_server, open_server
from scheduler.state.server.server_versions import is_tested
from scheduler.state.service_facts import ALL, LACKED, read_known_accounts
from sweeps.errors import SweepsError
from sweeps.formatting import format_count, format_duration

SUPPORTED = ((0, 38), (0, 39))  # versions of the SDK, from and below: as pyproject.toml pins them
ENOUGH_DISK = 2e9  # bytes: checkpoints of an offline night take some hundreds of megabytes


class Finding(NamedTuple):
    """One thing that was looked at."""

    what: str
    verdict: str  # ok, note or wrong
    said: str


@click.command()
@click.option("--live", is_flag=True, help="Ask the service what its documentation leaves open, for less than $0.05.")
@click.option("--model", help="Which model to ask with --live; the cheapest, if none is named.")
@click.option(
    "--clients",
    default=16,
    type=click.IntRange(0, 1000),
    help="Training clients that --live opens at most; 0 opens none.",
)
@click.pass_obj
def doctor(output: Output, live: bool, model: str | None, clients: int) -> None:
    """Check this machine, and say what to do about what is wrong."""
    if not live and model is not None:
        raise click.UsageError("--model is for --live")
    settings = from_environment()
    looks = (*CHECKS, partial(_check_live, model, clients)) if live else (*CHECKS, _check_accounts)
    findings = [finding for look in looks for finding in _run_check(look, settings)]
    output.rows("findings", [finding._asdict() for finding in findings], title="doctor")
    wrong = [finding.what for finding in findings if finding.verdict == "wrong"]
    if wrong:
        raise SchedulerError(f"not ready for a night: {', '.join(wrong)}")


def _run_check(look: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    try:
        yield from look(settings)
    except (SchedulerError, SweepsError, OSError) as error:
        name = getattr(look, "__name__", "live").removeprefix("_check_").replace("_", " ")
        yield Finding(name, "wrong", str(error))


def _check_python(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001 - every look takes the settings
    yield Finding("python", "ok", f"{sys.version.split()[0]}, tinker {version('tinker')}, celery {version('celery')}")
    least, below = SUPPORTED
    if not least <= tuple(map(int, version("tinker").split(".")[:2])) < below:
        said = f"tinker {version('tinker')} is installed, and {'.'.join(map(str, least))} is supported; install that"
        yield Finding("sdk", "wrong", f"{said} (docs/reference/service.md)")


def _check_packages(settings: Settings) -> Iterator[Finding]:  # noqa: ARG001
    """Generic names can be shadowed; a shadow should be seen here and not as an odd AttributeError."""
    root = Path(__file__).resolve().parents[2]
    for name in ("sweeps", "scheduler", "worker", "tinker_offline"):
        found = Path(str(importlib.import_module(name).__file__)).resolve().parent
        if found != root / name:
            yield Finding("packages", "wrong", f"`{name}` is {found}, not {root / name}: another package shadows it")
            return
    yield Finding("packages", "ok", str(root))


def _check_state_folder(settings: Settings) -> Iterator[Finding]:
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(settings.home).free
    verdict = "ok" if free > ENOUGH_DISK else "wrong"
    hint = "" if verdict == "ok" else "; make room, or set SWEEP_HOME to where there is some"
    yield Finding("state folder", verdict, f"{settings.home}, {free / 1e9:.1f} GB free{hint}")


def _check_redis(settings: Settings) -> Iterator[Finding]:
    with open_server(settings) as url:
        client = connect(url)
        found = check_server(client, url)
        yield Finding("redis", "ok" if is_tested(found) else "note", describe_server(found, url, settings))
        if settings.redis_url and client.config_get("appendfsync").get("appendfsync") != "always":
            yield Finding("redis", "note", "appendfsync is not always: a power cut can lose the last second")
        client.close()


def _check_artefact_store(settings: Settings) -> Iterator[Finding]:
    artefacts = Artefacts(settings.store)
    artefacts.read(artefacts.write("doctor/probe", b"can be written"))
    yield Finding("artefact store", "ok", artefacts.url)


def _check_prices(settings: Settings) -> Iterator[Finding]:
    book = read_price_book(settings)
    if settings.prices is not None:
        yield Finding("prices", "ok", f"{settings.prices}, over ours: {format_count(len(book.prices), 'row')} in all")


def _check_rehearsal(settings: Settings) -> Iterator[Finding]:
    check_rehearsal(settings)
    if settings.rehearsal is not None:
        where = "" if settings.offline_url is None else ", which a tinker_offline that runs already does not read"
        yield Finding("rehearsal", "note", f"{settings.rehearsal}{where}: what goes wrong offline is on purpose")


def _check_cache(settings: Settings) -> Iterator[Finding]:
    settings.cache.mkdir(parents=True, exist_ok=True)
    if not os.access(settings.cache, os.W_OK):
        yield Finding("cache", "wrong", f"{settings.cache} cannot be written; set SWEEP_CACHE to a folder that can")


def _check_tinker_offline(settings: Settings) -> Iterator[Finding]:
    """One that `sweep up` starts is its own business."""
    url = settings.offline_url
    if url is None:
        return
    try:
        served = served_models(url, OFFLINE_KEY)
    except ServiceRefused:
        said = f"SWEEP_OFFLINE_URL={url}: no tinker_offline answers there; start it, or leave the variable unset"
        yield Finding("tinker_offline", "wrong", said)
    else:
        yield Finding("tinker_offline", "ok", f"{format_count(len(served), 'model')} at {url}")


def _check_tinker(settings: Settings) -> Iterator[Finding]:
    key = os.environ.get("TINKER_API_KEY")
    if not key:
        said = (
            "no TINKER_API_KEY: offline models only; a key is to be had at https://tinker-console.thinkingmachines.ai"
        )
        yield Finding("tinker", "note", said)
        return
    url = settings.tinker_url
    through = proxy_for(url)
    by = f", through the proxy {through}" if through else ""
    served = served_models(url, key)
    if served:
        yield Finding("tinker", "ok", f"{len(served)} models at {url}{by}")
    else:
        said = f"it names no models (`get_server_capabilities`): so {LACKED['capabilities']}"
        yield Finding("tinker", "note", f"{url} answers{by}; {said}")


def _check_proxy(settings: Settings) -> Iterator[Finding]:
    """Whether the service is reached through it, its own line says."""
    named = ", ".join(f"{name}={where}" for name, where in list_proxies().items())
    if named:
        url = settings.tinker_url
        for_service = "for the service" if proxy_for(url) else f"not for {url}, which NO_PROXY spares"
        yield Finding("proxy", "note", f"{named}: {for_service}; not for this machine, nor for webhooks")


def _check_processes(settings: Settings) -> Iterator[Finding]:
    if not is_up(settings.home):
        yield Finding("processes", "note", "not up: `sweep run` and `sweep up` start them")
        return
    addresses = read_addresses(settings.home)
    yield Finding("processes", "ok", f"up, Flower at {addresses.flower_url}" if addresses else "coming up")


def _check_accounts(settings: Settings) -> Iterator[Finding]:
    """What `--live` has found out before."""
    try:
        with open_store(settings) as store:
            known = read_known_accounts(store)
    except StoreUnavailable:  # which has been said already
        return
    for facts in known:
        if facts.times:
            yield Finding(f"account {facts.service}", "note" if facts.moments is False else "ok", describe_facts(facts))
        for lack in facts.lacks:
            ago = format_duration(time.time() - lack.at.timestamp())
            yield Finding(f"account {facts.service}", "note", f"{lack.said(facts.service)} (asked {ago} ago)")
    if os.environ.get("TINKER_API_KEY") and "tinker" not in {facts.service for facts in known}:
        yield Finding("account tinker", "note", "nobody has asked yet what it can expect; `sweep doctor --live` does")


def _check_live(model: str | None, clients: int, settings: Settings) -> Iterator[Finding]:
    with open_store(settings) as store:
        found = probe_service(store, settings, model=model, clients=clients)
    for answer in found.report.answers:
        odd = answer.answer in UNEXPECTED or (answer.what == "calls" and answer.answer != ALL)
        yield Finding(answer.what, "note" if odd else "ok", f"{answer.answer}: {answer.said}")
    yield from _list_totals(found)


def _list_totals(found: ProbeResult) -> Iterator[Finding]:
    if found.busy:
        yield Finding("clients", "note", "not asked: stages are running, and the clients would be in their way")
    yield Finding("models", "ok", f"{len(found.models)}: {', '.join(found.models)}")
    yield Finding("cost", "ok", f"at most ${found.report.usd:.4f}: {found.report.tokens} tokens of {found.model}")


UNEXPECTED = ("no", "unknown", "pending")


def _check_webhooks(settings: Settings) -> Iterator[Finding]:
    for variable in settings.notify:
        if not os.environ.get(variable):
            yield Finding("webhooks", "note", f"SWEEP_NOTIFY names {variable}, which is not set here")
    with suppress(StoreUnavailable), open_store(settings) as store:  # which is told already
        for sentence in describe_troubled_webhooks(store):
            yield Finding("webhooks", "note", sentence)


def _check_bugs(settings: Settings) -> Iterator[Finding]:
    with suppress(StoreUnavailable), open_store(settings) as store:  # which is told already
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
    _check_artefact_store,
    _check_prices,
    _check_tinker_offline,
    _check_rehearsal,
    _check_proxy,
    _check_tinker,
    _check_webhooks,
    _check_processes,
)
commands = {"doctor": doctor}
