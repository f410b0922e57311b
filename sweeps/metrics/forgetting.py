"""What a model loses of what it knew by learning something else."""

import numpy as np
import numpy.typing as npt


def forgetting(before: npt.ArrayLike, after: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Of losses on the source's items (m,) before and after training on the target: after - before of each.

    In the unit of the losses; a positive one is a loss of skill.
    """
    change: npt.NDArray[np.float64] = np.asarray(after, float) - np.asarray(before, float)
    return change


def backward_transfer(accuracy: npt.ArrayLike) -> float | None:
    """BWT = mean over i < T of R[T, i] - R[i, i] (Lopez-Paz & Ranzato 2017, arXiv 1706.08840); below 0 is forgetting.

    `accuracy` (T, T): row t is measured after training on task t, column i on task i. None for a single task.
    """
    values = np.asarray(accuracy, float)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ValueError(f"accuracies of shape {values.shape}: tasks × tasks is right")
    return float((values[-1, :-1] - np.diag(values)[:-1]).mean()) if len(values) > 1 else None
