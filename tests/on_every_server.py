"""`make servers`, `make demos`: what touches a server, on every one that is here, one after the other.

python -m tests.on_every_server PART… ; SERVER=KEY in the environment asks for that one only.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import servers
from tests.support import TRUSTED, redis_server

SUITE = ("-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup")
# What opens no server is the same on each: `make test` has it.
NO_SERVER = (
    "jinja_templates",
    "cookbook",
    "user_environments",
    "loading_tokenizers",
    "user_imports",
    "verifiers_adapter",
)
# Restarts in the midst of work, connections that are cut, doubled and late messages, a consumer that falls silent: what
# servers and their pub/sub could do differently. The rest of tests/chaos is about us.
STORM = ("storm", "leaving", "messages", "deaf")
PARTS = {
    "tests": (
        *SUITE,
        *(f"--ignore-glob=*/test_{name}.py" for name in NO_SERVER),
        *("tests/scheduler", "tests/nights", "tests/acceptance/test_every_server.py"),
    ),
    "storm": (*SUITE, *(f"tests/chaos/test_{name}.py" for name in STORM)),
    "demo": ("-m", "scheduler.cli", "run", "examples/demo_scaling.yaml", "examples/demo_transfer.yaml"),
}
SECONDS = 1800  # that one part may take on one server


def main() -> None:
    """Ends with 1 where anything failed. One that is not here is said, and no failure."""
    report, failed = [""], False
    for key in servers.wanted():
        name = servers.tested(key)
        if servers.installed(key) is None:
            report.append(f"{name}: NOT HERE, so that nothing was run on it (make get-servers)")
            continue
        for part in sys.argv[1:]:
            began = time.monotonic()
            status = run(part, key)
            failed |= status != 0
            ended = "ended well" if status == 0 else f"FAILED with status {status}"
            report.append(f"{name}: {part} {ended} after {time.monotonic() - began:.0f} s")
            say(report[-1])
    say("\n".join(report))
    sys.exit(failed)


def run(part: str, key: str) -> int:
    """One part on one server, which the demo is given by its address, as a person gives it one."""
    environment = {**os.environ, "SERVER": key}
    with tempfile.TemporaryDirectory(prefix=f"{key}-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with redis_server(folder, TRUSTED, servers.installed(key)) as redis:
            if part == "demo":
                environment |= {"SWEEP_HOME": str(folder / "home"), "REDIS_URL": redis.url}
            words = [sys.executable, *PARTS[part]]
            try:
                done = subprocess.run(words, env=environment, cwd=servers.ROOT, timeout=SECONDS, check=False)
            except subprocess.TimeoutExpired:
                return 124
            return done.returncode


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
