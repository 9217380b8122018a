"""Kinds of demand, by how often and how unevenly something sells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.forecast.panel.panel import Array

CLASSES = ("smooth", "erratic", "intermittent", "lumpy")
_ADI, _CV2 = 1.32, 0.49


def classify(y: Array) -> npt.NDArray[np.str_]:
    """The class of each series of `y` (series, periods; NaN = unknown).

    Syntetos, Boylan and Croston (2005), "On the categorization of demand patterns", doi:10.1057/palgrave.jors.2601841:
    the average interval between periods with demand (ADI, boundary 1.32) and the squared coefficient of variation of
    demand where there is some (boundary 0.49).
    """
    known = np.isfinite(y)
    sold = known & (y > 0)
    count = sold.sum(axis=1)
    interval = known.sum(axis=1) / np.maximum(count, 1)
    size = np.where(sold, y, 0.0)
    mean = size.sum(axis=1) / np.maximum(count, 1)
    spread = np.where(sold, (size - mean[:, None]) ** 2, 0.0).sum(axis=1) / np.maximum(count, 1)
    uneven = spread / np.maximum(mean, 1e-12) ** 2 >= _CV2
    rare = (interval >= _ADI) | (count == 0)
    return np.select([rare & uneven, rare, uneven], ["lumpy", "intermittent", "erratic"], default="smooth")
