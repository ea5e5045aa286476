"""Features of series without learning: five statistics, and random convolution kernels (ROCKET, arXiv:1910.13051)."""

import numpy as np

KERNELS = 500
LENGTHS = (7, 9, 11)


def statistics(series: np.ndarray) -> np.ndarray:
    """Mean, standard deviation, mean absolute difference of steps, maximum and minimum of each channel.

    Args:
        series: (n, steps, channels).

    Returns:
        (n, 5 * channels).
    """
    series = np.asarray(series, "float64")
    difference = np.abs(np.diff(series, axis=1)).mean(1) if series.shape[1] > 1 else np.zeros_like(series[:, 0])
    found = (series.mean(1), series.std(1), difference, series.max(1), series.min(1))
    return np.concatenate(found, axis=1).astype("float32")


def random_kernels(series: np.ndarray, count: int = KERNELS, seed: int = 0) -> np.ndarray:
    """ROCKET: two figures of each of some random dilated convolutions, its maximum and its share of positive values.

    Each channel of each series is normalized first. Weights are N(0, 1) minus their mean, biases U(-1, 1), dilations
    log-uniform up to the length of the series, padding with probability 1/2, and a random choice of channels, as in
    the paper.

    Args:
        series: (n, steps, channels).
        count: number of kernels.
        seed: of the kernels.

    Returns:
        (n, 2 * count).
    """
    series = np.asarray(series, "float32")
    series = series - series.mean(1, keepdims=True)
    series = series / np.maximum(series.std(1, keepdims=True), 1e-6)
    rng = np.random.default_rng(seed)
    steps, channels = series.shape[1:]
    features = np.empty((len(series), 2 * count), "float32")
    for number in range(count):
        length = int(rng.choice([one for one in LENGTHS if one <= steps] or [steps]))
        chosen = rng.choice(channels, int(2 ** rng.uniform(0, np.log2(min(channels, length) + 1))), replace=False)
        weights = rng.normal(size=(length, len(chosen))).astype("float32")
        weights -= weights.mean(0)
        bias = np.float32(rng.uniform(-1, 1))
        dilation = int(2 ** rng.uniform(0, np.log2(max(1.0, (steps - 1) / max(length - 1, 1)))))
        padding = (length - 1) * dilation // 2 * int(rng.integers(2))
        found = _convolved(series[:, :, chosen], weights, dilation, padding) + bias
        features[:, 2 * number], features[:, 2 * number + 1] = found.max(1), (found > 0).mean(1)
    return features


def _convolved(series: np.ndarray, weights: np.ndarray, dilation: int, padding: int) -> np.ndarray:
    """A dilated convolution of series (n, steps, channels), summed over channels: (n, steps)."""
    series = np.pad(series, ((0, 0), (padding, padding), (0, 0)))
    steps = series.shape[1] - (len(weights) - 1) * dilation
    parts = (series[:, tap * dilation : tap * dilation + steps] @ weight for tap, weight in enumerate(weights))
    return sum(parts)
