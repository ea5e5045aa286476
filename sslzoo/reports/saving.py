"""One sentence on how many labels an encoder saves."""

from collections.abc import Mapping, Sequence

import numpy as np

from sslzoo.evaluation.arms import FROZEN, SCRATCH, TUNED
from sslzoo.evaluation.judging import START, TRAINED, UNTRAINED
from sslzoo.evaluators.bootstrap import Difference
from sslzoo.evaluators.report import Row

# The arms that pretraining must beat too, and what the sentence calls them.
OTHERS = {f"{START}, {TUNED}": "the fine-tuned start", f"{UNTRAINED}, {FROZEN}": "the untrained encoder, frozen"}


def verdict(scores: Sequence[Row]) -> str:
    """One sentence on what pretraining saves, from the rows of `rows_of`.

    The better of the frozen and the fine-tuned encoder is compared with training from scratch. The factor is that of
    the fewest labels with a clear gain: the labels with which training from scratch is as accurate, interpolated in
    the logarithm of their number, divided by the labels. The encoder is also compared with its start: fine-tuned if it
    has public weights, else frozen, since random features save labels too.
    """
    curves: dict[str, dict[int, Row]] = {}
    for row in scores:
        curves.setdefault(row.features, {})[int(row.key.rpartition("_")[2])] = row
    own = [name for name in curves if name.startswith(TRAINED)]
    best = max(own, key=lambda name: np.mean([row.mean for row in curves[name].values()]))
    gains = {count: row.gains[SCRATCH] for count, row in curves[best].items()}
    line = _against_scratch(best, curves[best], curves[SCRATCH], gains)
    for name, words in OTHERS.items():
        gains = [row.gains[name] for row in curves[best].values() if name in row.gains]
        line += f"; {_against(gains, words)}" if gains else ""
    return line


def _against_scratch(name: str, own: dict[int, Row], scratch: dict[int, Row], gains: dict[int, Difference]) -> str:
    better = [count for count, gain in gains.items() if gain.low > 0]
    if not better:
        worse = [str(count) for count, gain in gains.items() if gain.high < 0]
        if worse:
            return f"worse than training from scratch with {' and '.join(worse)} labels ({name})"
        return f"no measurable gain over training from scratch ({name})"
    count = min(better)
    factor, more = saved(count, own[count].mean, {n: row.mean for n, row in scratch.items()})
    text = f"{factor:.0f}" if factor >= 10 else f"{factor:.1f}".removesuffix(".0")
    gain = f"{name}: {own[count].gain(SCRATCH)} points with {count} labels"
    if factor < 1.05:
        return f"better than training from scratch: {gain}"
    return f"saves {'more than' if more else 'about'} {text} times the labels: {gain}"


def _against(gains: Sequence[Difference], other: str) -> str:
    better, worse = any(gain.low > 0 for gain in gains), any(gain.high < 0 for gain in gains)
    if better == worse:
        return f"it depends on the labels whether {other} is better" if better else f"no measurable gain over {other}"
    return f"better than {other}" if better else f"{other} is better"


def saved(count: int, accuracy: float, scratch: Mapping[int, float]) -> tuple[float, bool]:
    """The factor of labels that training from scratch needs for an accuracy, and whether it needs even more.

    Args:
        count: labels with which the accuracy was reached.
        accuracy: to reach.
        scratch: number of labels -> accuracy of training from scratch.
    """
    counts = np.array(sorted(scratch))
    values = np.maximum.accumulate([scratch[n] for n in counts])
    if accuracy > values[-1]:
        return float(counts[-1] / count), True
    place = int(np.argmax(values >= accuracy))
    if place == 0 or values[place] == values[place - 1]:
        return max(1.0, float(counts[place] / count)), False
    share = (accuracy - values[place - 1]) / (values[place] - values[place - 1])
    needed = np.exp(np.interp(share, (0, 1), np.log(counts[[place - 1, place]])))
    return max(1.0, float(needed / count)), False
