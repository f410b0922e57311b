"""How sure a fitted curve is of the mean loss, size by size."""

import math

import numpy as np

from sweeps.intervals import critical
from sweeps.laws import Curve, Floats
from sweeps.scaling import ScalingFit


def drawn(fit: ScalingFit, n: Floats) -> tuple[Floats, tuple[Floats, Floats] | None]:
    """The curve at n examples, and the 95 % interval of the mean loss there: all that figures ask of a fit.

    By the delta method from the misses of the curve, which takes the law as true; None where the curve has as many
    parameters as points, or they cannot be told apart. Raises ValueError where there is no curve.
    """
    value = fit.predict(n)
    return value, None if fit.curve is None else _band(fit.curve, n)


def _band(curve: Curve, n: Floats) -> tuple[Floats, Floats] | None:
    free = np.array([True, True, curve.floor > 0, curve.shift > 0])
    design = _slopes(curve, curve.n)[:, free] / curve.loss[:, None]
    spare = len(curve.n) - int(free.sum())
    norms = np.linalg.norm(design, axis=0)
    if spare < 1 or np.linalg.cond(design / norms) > 1e7:
        return None
    inverse = np.linalg.inv((design / norms).T @ (design / norms))
    here = _slopes(curve, n)[:, free] / norms
    squares = float(curve.residuals @ curve.residuals) / spare
    reach = critical(spare) * math.sqrt(squares) * np.sqrt(np.einsum("ij,jk,ik->i", here, inverse, here))
    middle = curve.predict(n)
    return middle - reach, middle + reach


def _slopes(curve: Curve, n: Floats) -> Floats:
    """Of the loss by log A, a, E and n0, (sizes, 4)."""
    power = curve.scale * (n + curve.shift) ** -curve.exponent
    columns = (
        power,
        -power * np.log(n + curve.shift),
        np.ones_like(power),
        -power * curve.exponent / (n + curve.shift),
    )
    return np.stack(columns, axis=1)
