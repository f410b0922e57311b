"""What an environment of an attacker tries: to read the key of another process, to call out, to end its host."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.errors import CodeUnusable, ServiceRefused
from scheduler.plugins.containment.contained_tokenizer import ContainedTokenizer
from scheduler.plugins.containment.sandbox import Sandbox, SandboxLimits
from scheduler.settings import Isolation
from sweeps.rendering.tokenizer import OfflineTokenizer
from tests.repository import ROOT
from tinker_offline.model.characters import write_tokenizer

SPYING = "tests.scheduler.plugins.containment.spying"
KEY = "tml-planted-3f9ac2"
TRY = """
import os
from scheduler.plugins.containment.namespaces import enter_namespaces, mount_own_processes
enter_namespaces(network=False)
child = os.fork()
if not child:
    mount_own_processes()
    os._exit(0)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
READ_PARENT = """
import ctypes, os, sys
from pathlib import Path
from scheduler.plugins.containment.namespaces import PR_SET_DUMPABLE, hide_memory
if os.getuid() == 0:  # who may read everything
    os.setuid(65534)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
if sys.argv[1] == "hidden":
    hide_memory()
child = os.fork()
if not child:
    try:
        sys.stdout.write(Path(f"/proc/{os.getppid()}/environ").read_text())
    except PermissionError:
        sys.stdout.write("refused")
    sys.stdout.flush()
    os._exit(0)
os.wait()
"""
ISOLATED = subprocess.run([sys.executable, "-c", TRY], cwd=ROOT, capture_output=True, check=False).returncode == 0

needs_namespaces = pytest.mark.skipif(not ISOLATED, reason="the kernel allows no namespaces here")


def ask(name: str, folder: Path = ROOT, isolation: Isolation = "auto") -> str:
    limits = SandboxLimits(step=60, isolation=isolation)
    with Sandbox(f"{SPYING}:{name}", split="train", limits=limits, folder=folder) as sandbox:
        return str(sandbox.begin({1: 1})[1])


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def _holder() -> Iterator[None]:
    """Another process of this user, whose environment has a key."""
    program = "import sys; print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "TINKER_API_KEY": KEY},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.communicate("")


@needs_namespaces
@pytest.mark.usefixtures("_holder")
def test_no_other_process_can_be_seen() -> None:
    assert KEY in ask("Spy", isolation="off"), "the attack works where nothing is done against it"
    seen = ask("Spy", isolation="required")
    assert KEY not in seen
    assert "sandbox_main" in seen, "it sees its own processes"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hides memory")
def test_where_there_are_no_namespaces_the_memory_of_who_plays_is_hidden() -> None:
    def read(way: str) -> str:
        command = [sys.executable, "-c", READ_PARENT, way]
        environment = {**os.environ, "TINKER_API_KEY": KEY}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout

    assert KEY in read("open")
    assert read("hidden") == "refused"


@needs_namespaces
def test_without_a_network_nothing_is_reached(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        (tmp_path / "port").write_text(str(server.getsockname()[1]))
        assert ask("Caller", tmp_path) == "connected"
        assert ask("Caller", tmp_path, "no-network").startswith("refused")


def test_where_namespaces_are_missing_required_means_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import scheduler.plugins.containment.namespaces as ours\n"
        "def refuse(**_): raise ours.NoNamespaces('not permitted')\n"
        "ours.enter_namespaces = refuse\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    assert ask("Spy")
    with pytest.raises(CodeUnusable, match=r"SWEEP_SANDBOX=required.*not permitted"):
        ask("Spy", isolation="required")


def run_plan(folder: Path, environment: str) -> "subprocess.CompletedProcess[str]":
    """Plan a sweep that trains in an environment, with a key in the environment of the command."""
    (folder / "attack.yaml").write_text(
        f"""
sweep: attack
experiment: grid
model: offline/ngram-s
train: {{method: rl, environment: "{environment}", groups: 2, group_size: 4, steps: 2, rank: 4}}
vary: {{train.learning_rate: [0.01]}}
seeds: 1
evaluate: [{{task_completion: {{environment: "{environment}", episodes: 4}}}}]
"""
    )
    return subprocess.run(
        [sys.executable, "-m", "scheduler.cli", "-f", "json", "plan", "attack.yaml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TINKER_API_KEY": KEY, "SWEEP_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("call", "end"), [("os.abort()", "SIGABRT"), ("os._exit(7)", "status 7")])
def test_code_that_ends_its_process_does_not_end_the_plan(tmp_path: Path, call: str, end: str) -> None:
    (tmp_path / "ending.py").write_text(f"import os\ndef make():\n    {call}\n")
    planned = run_plan(tmp_path, "ending:make")
    assert planned.returncode == 1
    assert planned.stderr.startswith("Error: ")
    assert end in planned.stderr


@needs_namespaces
def test_a_module_beside_the_file_finds_no_key_and_prints_into_nobodys_output(tmp_path: Path) -> None:
    (tmp_path / "telling.py").write_text(
        "import os, pathlib\n"
        f"from {SPYING} import Spy\n"
        "print('printed at import')\n"
        "pathlib.Path(__file__).with_name('told').write_text(str(dict(os.environ)) + Spy().look())\n"
    )
    planned = run_plan(tmp_path, "telling:Spy")
    assert planned.returncode == 0, planned.stderr
    assert json.loads(planned.stdout)["sweep"] == "attack"
    assert "printed at import" not in planned.stdout
    assert KEY not in (tmp_path / "told").read_text()


# Of a tokenizer that is a program: when it is imported, it writes down what it finds; then it does its work, or not.
PROGRAM = """
import os, pathlib
from transformers import PreTrainedTokenizerFast
from tests.scheduler.plugins.containment.spying import Spy
pathlib.Path({report!r}).write_text(str(dict(os.environ)) + Spy().look())
class Own(PreTrainedTokenizerFast):
    def encode(self, text, **how):
        if text == "die":
            os.abort()
        if text == "strange":
            return [10**9, "x"]
        return [7] * len(text)
"""


@needs_namespaces
@pytest.mark.usefixtures("_holder")
def test_a_tokenizer_that_is_a_program_finds_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    place, report = tmp_path / "tokenizer", tmp_path / "report"
    write_tokenizer(place)
    config = json.loads((place / "tokenizer_config.json").read_text())
    config["auto_map"] = {"AutoTokenizer": ["own.Own", None]}
    (place / "tokenizer_config.json").write_text(json.dumps(config))
    (place / "own.py").write_text(PROGRAM.format(report=str(report)))
    tokenizer = ContainedTokenizer("some/model", place, SandboxLimits(step=60, isolation="required"))
    assert "sandbox_main" in report.read_text(), "it ran, and saw its own processes"
    assert KEY not in report.read_text()
    assert (tokenizer.encode("ab"), len(tokenizer)) == ([7, 7], OfflineTokenizer.size)
    assert tokenizer.decode(OfflineTokenizer().encode("It's 12")) == "It's 12"
    for text in ("strange", "die"):
        with pytest.raises(ServiceRefused, match="some/model"):
            tokenizer.encode(text)
    tokenizer.close()
