"""What Prometheus is told is what the state says, in few labels and for a price that does not grow with the stages."""

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from scheduler.engine import fleet
from scheduler.errors import SettingInvalid
from scheduler.notify.alert_limits import FORMS
from scheduler.notify.alerts import AlertWatch
from scheduler.processes.fleet_metrics import OTHER, SHOWN, read_metrics
from scheduler.processes.metrics_server import PATH, PREFIX, answer, read_token, render, start_metrics_server
from scheduler.settings import read_settings
from scheduler.state import keys
from scheduler.state.connection import connect
from scheduler.state.states import StageState
from scheduler.state.store import Store
from scheduler.state.workers import TickReport, report_scheduler
from tests.repository import ROOT
from tests.scheduler.night import LEASE, Night
from tests.scheduler.plans import COST, single

ME = "host-1-abcdef"
Samples = Mapping[tuple[str, ...], float]


def scrape(store: Store) -> dict[str, Samples]:
    """Each metric by its name: the values of its labels, in the order of their names -> value."""
    text = render(read_metrics(store, ME)).body.decode()
    families = [*text_string_to_metric_families(text)]
    assert all(family.documentation for family in families)
    return {
        family.name.removeprefix(PREFIX): {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in families
    }


def test_a_night_is_told_as_it_is(night: Night, tmp_path: Path) -> None:
    night.submit(single("s", 4), limit=10 * COST)
    night.submit(single("t", 2, prefix="t"))
    night.tell("pause_sweep", "t")
    night.store.scripts.run("set_limits", "day:offline", 5_000_000)
    night.do("train-0000", "s")
    lost = night.start("train-0001", "s")
    night.clock.pass_seconds(LEASE)
    night.spread()
    night.start("train-0001", "s")
    night.spread()
    night.store.report_worker("w", threads=4, busy=1, ttl=600, stages=1, draining=0)
    night.store.scripts.run("take_duty", ME, 60_000)
    report_scheduler(night.store.client, ME, TickReport(night.clock() - 1500, 0.25))
    seen = scrape(night.store)
    counts = {"ready": 4, "running": 1, "succeeded": 1}
    assert seen["stages"] == {(state.value,): counts.get(state, 0) for state in StageState}
    assert seen["sweeps"] == {("live",): 1, ("held",): 1}
    in_s = {("ready", "s"): 2, ("running", "s"): 1, ("succeeded", "s"): 1}
    assert seen["sweep_stages"] == {**in_s, ("ready", "t"): 2}
    assert seen["sweep_spent_usd"]["s",] == pytest.approx(COST / 1e6)
    assert seen["sweep_budget_usd"] == {("s",): pytest.approx(10 * COST / 1e6)}
    assert seen["unreconciled_usd"]["offline",] == seen["sweep_unreconciled_usd"]["s",] == pytest.approx(COST / 1e6)
    assert (seen["unreconciled_attempts"][()], seen["lost_attempts"][()]) == (1, 1)
    assert seen["day_budget_usd"] == {("offline",): 5}
    assert seen["oldest_ready_stage_seconds"][()] == LEASE
    assert seen["breaker"]["offline", "closed"] == 1
    assert sum(seen["breaker"].values()) == 2
    assert seen["slots_used"]["offline/training",] == 1
    plain = {name: samples[()] for name, samples in seen.items() if () in samples}
    workers = {"workers": 1, "worker_threads": 4, "worker_threads_busy": 1, "worker_stages": 1, "workers_draining": 0}
    assert plain.items() >= workers.items()
    assert plain.items() >= {"leads": 1, "leaders": 1, "tick_age_seconds": 1.5, "tick_duration_seconds": 0.25}.items()
    assert seen["alert"] == dict.fromkeys(((alert,) for alert in FORMS), 0)
    assert night.renew(lost) == ["lost"]
    limits = "leases_lost=1 disk=off memory=off"
    AlertWatch(night.store, read_settings({"SWEEP_HOME": str(tmp_path), "SWEEP_ALERTS": limits})).look()
    assert scrape(night.store)["alert"]["leases_lost",] == 1


def test_an_empty_fleet_has_metrics_too(store: Store) -> None:
    seen = scrape(store)
    assert sum(seen["stages"].values()) == seen["leaders"][()] == seen["workers"][()] == 0
    assert seen["sweep_stages"] == {}


def test_a_thousand_sweeps_have_as_many_labels_as_a_few_and_none_is_left_out(store: Store) -> None:
    client: Any = store.client
    pipe = client.pipeline()
    for number in range(1000):
        pipe.sadd(keys.LIVE, f"sweep-{number}")
        pipe.hset(keys.sweep(f"sweep-{number}"), mapping={"spent": 1_000_000, "limit": 2_000_000, "submitted": number})
        pipe.hset(keys.sweep_counts(f"sweep-{number}"), mapping={"ready": 3, "running": 2, "failed": 0})
    pipe.execute()
    seen = scrape(store)
    assert sum(map(len, seen.values())) < 10 * SHOWN
    assert len(seen["sweep_spent_usd"]) == SHOWN + 1
    assert sum(seen["sweep_spent_usd"].values()) == 1000
    assert seen["sweep_stages"]["ready", OTHER] == 3 * (1000 - SHOWN)
    assert ("running", "sweep-999") in seen["sweep_stages"], "the newest"


def test_a_look_costs_the_same_however_many_stages_there_are(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "OLDEST", 5)
    costs = []
    for number in (1, 2):
        night.submit(single("s" * number, 50 * number - 40, prefix="x" * number))
        for sweep in ("s" * other for other in range(1, number)):
            night.tell("cancel_sweep", sweep)
        before = _count_commands(night.store)
        read_metrics(night.store, ME)
        costs.append(_count_commands(night.store) - before)
    assert costs[0] == costs[1]


def _count_commands(store: Store) -> int:
    return int(store.client.info("stats")["total_commands_processed"])


@pytest.fixture
def port(store: Store) -> Iterator[int]:
    server = start_metrics_server(store, ME, ("127.0.0.1", 0), "hunter2")
    assert server is not None
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_who_has_the_token_is_answered_and_nobody_else(port: int, store: Store) -> None:
    def get(path: str, **headers: str) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()

    assert get(PATH)[0] == get(PATH, Authorization="Bearer hunter")[0] == 401
    assert get("/", Authorization="Bearer hunter2")[0] == 404
    status, body = get(PATH, Authorization="Bearer hunter2")
    assert (status, b"tinker_sweeps_stages{" in body) == (200, True)
    assert start_metrics_server(store, ME, ("127.0.0.1", port)) is None, "the port is in use, and the scheduler goes on"


def test_without_redis_the_answer_says_so(tmp_path: Path) -> None:
    with closing(connect(f"unix://{tmp_path / 'nobody'}", retries=0)) as client:
        assert answer(Store(client), ME, PATH, "", "").status == 503


def test_off_the_loopback_address_a_token_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def address_of(text: str) -> tuple[str, int] | None:
        return read_settings({"SWEEP_METRICS": text}).observation.metrics

    assert (address_of(""), address_of("9464"), address_of("[::]:1")) == (None, ("127.0.0.1", 9464), ("::", 1))
    for text in ("x", "0", "70000", "host:", "-1"):
        with pytest.raises(SettingInvalid):
            address_of(text)
    assert read_token(("127.0.0.1", 9464)) == ""
    with pytest.raises(SettingInvalid):
        read_token(("0.0.0.0", 9464))
    monkeypatch.setenv("SWEEP_METRICS_TOKEN", "t")
    assert read_token(("0.0.0.0", 9464)) == "t"


def test_the_example_rules_ask_for_metrics_and_alerts_that_exist(store: Store) -> None:
    page = (ROOT / "docs" / "how-to" / "observe.md").read_text()
    (text,) = (block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if block.startswith("groups:"))
    rules = YAML(typ="safe").load(text)
    texts = json.dumps([rule["expr"] for group in rules["groups"] for rule in group["rules"]])
    names = {name.removesuffix("_total") for name in re.findall(rf"{PREFIX}(\w+)", texts)}
    assert names
    seen = {family.name for family in read_metrics(store, ME)} | {"tick_age_seconds"}
    assert names <= seen


def test_the_dashboard_asks_for_metrics_and_labels_that_exist(store: Store) -> None:
    dashboard = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
    targets = [target for panel in dashboard["panels"] for target in panel["targets"]]
    families = {family.name: family for family in read_metrics(store, ME)}
    for name in ("tick_age_seconds", "tick_duration_seconds"):
        families[name] = families["leaders"]  # they have a value once somebody leads
    for target in targets:
        (name,) = re.findall(rf"{PREFIX}(\w+)", target["expr"])
        family = families[name.removesuffix("_total")]
        assert name.endswith("_total") is (family.kind == "counter"), name
        grouped = re.findall(r"by \(([^)]*)\)", target["expr"])
        asked = {label for labels in grouped for label in labels.split(", ")}
        assert asked == {*family.labels}, name
        assert {*re.findall(r"{{(\w+)}}", target["legendFormat"])} == asked, name
    places = [tuple(panel["gridPos"].values())[:2] for panel in dashboard["panels"]]
    assert len({*places}) == len(places), "no panel hides another"
