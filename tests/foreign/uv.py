"""Stands in for `uv run`, by which SkyRL's server insists on being started, and starts its engine: `-m MODULE …` runs
in the interpreter that runs this file."""

import subprocess
import sys

if __name__ == "__main__":
    words = sys.argv[sys.argv.index("-m") :]
    # The parent has to stay: the server reads from its parent's command line how it was started itself.
    sys.exit(subprocess.run([sys.executable, *words], check=False).returncode)
