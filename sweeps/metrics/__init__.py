"""What answers, confidences, rankings and episodes are worth: scores of one item each, and what many say together.

Each module takes plain sequences or arrays of items and knows nothing of runs. A score is a share or a number without
unit unless its docstring says otherwise. Where a value is not defined (nothing to divide by) it is None, never 0.
"""
