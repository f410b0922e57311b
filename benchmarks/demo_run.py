"""What a newcomer waits for: the two questions of `make demo`, from an empty state folder."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.row import Row
from tests.acceptance.command import ROOT, Desk


def measure() -> list[Row]:
    """Run it as `make demo` does, once."""
    files = [str(ROOT / "examples" / f"demo_{kind}.yaml") for kind in ("scaling", "transfer")]
    with TemporaryDirectory() as name:
        began = time.monotonic()
        done = Desk(Path(name)).sweep("run", *files, wait=900)
        assert done.status == 0, done.err
        seconds = time.monotonic() - began
    return [Row(what="`make demo` once installed", unit="s", ours=[seconds], most=60)]
