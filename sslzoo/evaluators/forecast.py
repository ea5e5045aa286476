"""Forecast probe: the next steps of a long series by ridge regression on the features of the window before them."""

from collections.abc import Iterator, Mapping

import numpy as np
from sklearn.linear_model import Ridge

from sslzoo.catalog.checked import checked
from sslzoo.evaluators.linear import standardize
from sslzoo.evaluators.report import Row
from sslzoo.evaluators.scores import Scores
from sslzoo.evaluators.windows import Encode, as_series, features_of, named, windows

ALPHAS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # of the ridge
PARTS = (0.6, 0.8)  # shares of the steps at which the training and the validation part end
LAST = "last value"


@checked()
def forecast(
    encode: Encode | Mapping[str, Encode], series, window: int = 96, horizon: int = 24, stride: int = 1
) -> Scores:
    """Errors of a ridge regression from the features of a window to the steps after it, as TS2Vec evaluates.

    The steps are divided in the order of time: the ridge is fitted to the first 60 %, its strength is chosen on the
    next 20 %, and the last 20 % are forecast. A window belongs to the part in which all of its next steps lie; the
    window itself may begin earlier. Errors are those of series with the mean and the deviation of the training part at
    0 and 1. The same ridge on the raw values of the window, and its last value repeated, are the baselines. Windows
    overlap, so that errors of neighbours depend on each other: there are no intervals.

    Source: arXiv 2106.10466, section 4.2.

    Args:
        encode: windows (n, window, channels) of raw values -> features (n, dim), such as an exported encoder; or a
            mapping of names to several.
        series: (steps, channels), or (steps,) for one channel; finite.
        window: steps of a window.
        horizon: steps to forecast.
        stride: steps between two windows.

    Returns:
        Rows with the keys "forecast_mse" and "forecast_mae" for each encoder and for the baselines.

    Raises:
        ValueError: another shape, or too few steps for a window in each part.
    """
    series = as_series(series)
    ends = _ends(len(series), window, horizon, stride)
    known = series[: int(PARTS[0] * len(series))]
    deviation = known.std(0)
    scaled = (series - known.mean(0)) / np.where(deviation > 0, deviation, 1)
    targets = [windows(scaled, horizon, part + horizon).reshape(len(part), -1) for part in ends]
    found = [windows(series, window, part) for part in ends]
    errors = {
        name: _predicted([features_of(one, x) for x in found], targets) - targets[-1]
        for name, one in named(encode).items()
    }
    errors[LAST] = np.tile(scaled[ends[-1] - 1], horizon) - targets[-1]
    counts = ", ".join(map(str, map(len, ends)))
    notes = [
        f"windows of {window} steps, of which training, validation and test part have {counts}; standardized values"
    ]
    return Scores(_rows(errors, horizon), notes)


def _rows(errors: Mapping[str, np.ndarray], horizon: int) -> Iterator[Row]:
    for name, error in errors.items():
        for key, mean in (("mse", np.mean(error**2)), ("mae", np.mean(np.abs(error)))):
            title = f"forecast of {horizon} steps, {key.upper()} (lower is better)"
            yield Row(title, name, float(mean), key=f"forecast_{key}")


def _ends(steps: int, window: int, horizon: int, stride: int) -> list[np.ndarray]:
    """The steps after the windows of each part: the next `horizon` steps lie in the part."""
    starts = [window, *(max(window, int(share * steps)) for share in PARTS)]
    stops = [*(int(share * steps) for share in PARTS), steps]
    found = [np.arange(start, stop - horizon + 1, stride) for start, stop in zip(starts, stops, strict=True)]
    if not all(map(len, found)):
        raise ValueError(
            f"series has {steps} steps, too few for window={window} and horizon={horizon} in parts of 60, 20 and 20 %"
        )
    return found


def _predicted(features: list[np.ndarray], targets: list[np.ndarray]) -> np.ndarray:
    """The forecast of the test part by the ridge whose strength is best on the validation part."""
    train, valid = standardize(features[0], features[1])
    models = [Ridge(alpha=alpha).fit(train, targets[0]) for alpha in ALPHAS]
    best = min(models, key=lambda model: np.mean((model.predict(valid) - targets[1]) ** 2))
    return best.predict(standardize(features[0], features[2])[1])
