"""`python -m scheduler.cli`: the same as `sweep`."""

from scheduler.cli import main

main()
