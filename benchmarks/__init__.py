"""Measure what the project costs, each figure beside a peer or a physical floor in the same run.

`python -m benchmarks` runs all, `python -m benchmarks NAME …` some. Every benchmark is a module with a function
`measure()` that returns rows; `catalogue.py` lists them. `RESULTS.md` and `results.json` have the last measurement of
each. Peers live in an environment of their own (`peers.py`), and `peer_programs/` is what runs there.
"""
