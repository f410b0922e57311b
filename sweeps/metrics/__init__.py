"""Metrics of answers, confidences, rankings and episodes: scores of single items, and of many together.

Each module takes plain sequences or arrays of items and knows nothing of runs. A score is a share or a number without
unit unless its docstring says otherwise. An undefined value (nothing to divide by) is None, never 0.
"""
