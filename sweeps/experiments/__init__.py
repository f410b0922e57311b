"""The kinds of experiment, one file each: what its spec needs, which runs it plans, and how its answer is drawn.

To add a kind, write one file with a value `EXPERIMENT` and add one line to `EXPERIMENTS` in `experiment_registry.py`.
"""
