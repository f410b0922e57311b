"""Stand in for `uv run`, with which SkyRL's server starts its engine: `-m MODULE …` runs in this interpreter."""

import subprocess
import sys

if __name__ == "__main__":
    words = sys.argv[sys.argv.index("-m") :]
    # The parent has to stay: the server reads from its parent's command line how it was started itself.
    sys.exit(subprocess.run([sys.executable, *words], check=False).returncode)
