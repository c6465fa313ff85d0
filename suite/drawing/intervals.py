"""The three intervals that figures draw.  scipy.special alone: scipy.stats costs a second to import."""

import numpy as np
from scipy.special import betaincinv, stdtrit


def mean_interval(values: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(mean, low, high) over the first axis: mean -+ t s / sqrt(n); with one value the interval is that value.

    >>> mean, low, high = mean_interval(np.array([1.0, 2.0, 3.0]))
    >>> round(float(low), 4), round(float(high), 4)
    (-0.4841, 4.4841)
    """
    values = np.asarray(values, dtype=float)
    n = len(values)
    mean = values.mean(axis=0)
    if n < 2:
        return mean, mean, mean
    reach = stdtrit(n - 1, 0.5 + level / 2) * values.std(axis=0, ddof=1) / np.sqrt(n)
    return mean, mean - reach, mean + reach


def share_interval(count: np.ndarray, out_of: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The exact (Clopper-Pearson) interval of a binomial share.

    >>> low, high = share_interval(np.array([0]), np.array([10]), 0.95)
    >>> float(low[0]), round(float(high[0]), 4)
    (0.0, 0.3085)
    """
    count, out_of = np.asarray(count, dtype=float), np.asarray(out_of, dtype=float)
    tail = (1 - level) / 2
    low = np.where(count > 0, betaincinv(np.maximum(count, 1e-300), out_of - count + 1, tail), 0.0)
    high = np.where(count < out_of, betaincinv(count + 1, np.maximum(out_of - count, 1e-300), 1 - tail), 1.0)
    return low, high
