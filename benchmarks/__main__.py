"""`python -m benchmarks [NAME …]`: measure, print, keep. Exit status 1 if one could not be measured."""

import argparse
import importlib
import sys
import traceback

from benchmarks.alternation import say
from benchmarks.catalogue import BENCHMARKS
from benchmarks.machine import read_machine
from benchmarks.results import TABLE, keep
from benchmarks.row import Row


def main() -> int:
    """Measure each benchmark that is named, or all; a missed bar is a result, a benchmark that did not run is not."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=str(__doc__).partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], metavar="NAME", help=", ".join(BENCHMARKS))
    failed = []
    for name in parser.parse_args().names or BENCHMARKS:
        say(f"{name}: {BENCHMARKS[name]}")
        try:
            machine = read_machine()
            rows: list[Row] = importlib.import_module(f"benchmarks.{name}").measure()
        except Exception:  # noqa: BLE001 - the others are still measured, and the end says which one was not
            traceback.print_exc()
            failed.append(name)
            continue
        keep(name, machine, rows)
        for row in rows:
            say(f"  {row.what}: {row.figure:.3g}{'' if row.met is None else (' ok' if row.met else ' MISSED')}")
    say(f"wrote {TABLE}")
    if failed:
        say("NOT MEASURED: " + ", ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
