"""What a process loads before it does anything: what it does not need costs every call of it a second."""

import os
import subprocess
import sys

import click
import pytest

from scheduler.cli import COMMANDS, sweep
from tests.repository import ROOT

SCIENCE = {"numpy", "scipy", "pandas"}
FILES = {"pydantic", "ruamel", "fsspec", "jinja2"}  # what reads a question and its data
SERVICES = {"redis", "valkey", "celery", "kombu", "httpx", "tinker", "asyncio"}


def loaded(program: str, *, depth: int = 1) -> set[str]:
    """The packages that a process of its own has loaded when the program is done, to this many parts of their names."""
    ended = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}\nprint(*sys.modules, file=sys.stderr)"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return {".".join(module.split(".")[:depth]) for module in ended.stderr.split()}


def command(name: str) -> click.Command:
    found_command = sweep.get_command(click.Context(sweep), name)
    assert found_command is not None
    return found_command


def test_help_loads_no_command() -> None:
    program = "from scheduler.cli import sweep; sweep.main(['--help'], standalone_mode=False)"
    assert loaded(program) & (SCIENCE | FILES | SERVICES | {"rich"}) == set()


def test_looking_at_a_night_and_changing_it_loads_neither_the_science_nor_what_reads_files_nor_celery() -> None:
    names = (
        "list",
        "status",
        "watch",
        "events",
        "costs",
        "budget",
        "pause",
        "resume",
        "cancel",
        "retry",
        "priority",
        "health",
    )
    modules = sorted({f"scheduler.cli.{COMMANDS[name][0]}" for name in names})
    packages = loaded(f"import {', '.join(modules)}")
    assert packages & (SCIENCE | FILES | SERVICES - {"redis", "asyncio"}) == set()
    assert "redis" in packages, "else nothing was looked at"


def test_the_scheduler_starts_without_the_science() -> None:
    assert loaded("import scheduler.__main__") & (SCIENCE | {"ruamel", "fsspec", "tinker"}) == set()


def test_the_offline_service_starts_without_the_sdk_and_knows_its_schema() -> None:
    server = "import tinker_offline.routes, tinker_offline.service, tinker_offline.wire as wire"
    packages = loaded(f"{server}\nassert wire.CONTENT_TYPE and wire.schema.ForwardBackwardRequest()")
    assert packages & (SERVICES - {"asyncio", "tinker"}) == set()
    both = (
        f"{server}\nimport tinker\nfrom tinker.proto import tinker_public_pb2\nassert tinker_public_pb2 is wire.schema"
    )
    assert "httpx" in loaded(both), "else the SDK was not loaded"


def test_a_worker_starts_without_what_plans_and_concludes() -> None:
    modules = loaded("import worker.tasks", depth=2)
    assert (
        modules & {f"sweeps.{name}" for name in ("planning", "experiments", "analysis", "scaling", "figures")} == set()
    )
    assert modules & {"scipy", "ruamel"} == set()
    assert "tinker" in modules, "else it could do no work"


def test_the_page_starts_without_the_science_and_a_command_without_the_page() -> None:
    assert loaded("import web.page_server") & (SCIENCE | {"ruamel", "fsspec", "celery", "tinker"}) == set()
    assert loaded("import scheduler.cli.upkeep.serve_page") & {"web", "fastapi", "starlette", "uvicorn"} == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_lists_a_command_with_the_first_sentence_of_its_own_help_and_on_one_line(name: str) -> None:
    _, says = COMMANDS[name]
    assert command(name).get_short_help_str(limit=1000) == says
    assert len(f"  {name:<11}  {says}") <= 78, "as wide as click writes where a terminal has 80 columns"


def test_help_lists_every_command_that_a_module_has() -> None:
    modules = {f"scheduler.cli.{module}" for module, _ in COMMANDS.values()}
    for name in COMMANDS:
        command(name)
    assert {name for module in modules for name in sys.modules[module].commands} == set(COMMANDS)
