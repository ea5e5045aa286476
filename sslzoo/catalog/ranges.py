"""Ranges of the knobs of methods, encoders and presets, checked before anything is built."""

import math
import re
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from sslzoo.catalog.knobs import Knob

SHARE, RATE, POSITIVE, COUNT = (0, 1, False), (0, 1, True), (0, math.inf, True), (1, math.inf, False)
# Pattern of the name -> (least, greatest, whether the least itself is excluded); the first that fits.
RULES = (
    (r"(.*_)?temperature(_end)?|sharpening|(sinkhorn_)?epsilon|width|(uniform_)?t|align_power|beta", POSITIVE),
    (r"reach|distortion|mixup_alpha|(.*_)?margin", POSITIVE),
    (r"vector_rate|sigma|alpha|queue_size|whitening_groups", (0, math.inf, False)),
    (r"ema_rate|rate", SHARE),  # 0: the target never changes
    (r"(.*_)?rate|(.*_)?(min|max)_scale", RATE),
    (r"(sigreg|regularizer)_weight|gray|uniform_share", SHARE),
    (r"patch_share|hole", RATE),
    (r"drop_path", (0, 0.9, False)),
    (
        r".*_(start|warmup|ratio|share)|(label|dense|jigsaw|global|spread|instance)_weight|shrinkage|patch_drop|solarize",
        SHARE,
    ),
    (r"hidden_(dim|layers)|negatives|local_crops|freeze_epochs|.*_iterations|mixed|query_mixed", (0, math.inf, False)),
    (r"(.*_)?(dim|size|count|row|blocks|groups|interval|rounds)|units|depth|grid|prototypes|clusterings|number", COUNT),
    (r"classes|max_images|trials|steps|seeds|k|components|ways|shots|queries|episodes|draws|hidden|epochs", COUNT),
    (r"fraction", RATE),
    (r"level|false_positives", SHARE),
    (r"seed", (0, 2**31 - 1, False)),
    (r"port", (0, 65535, False)),
    (r"permutations|hardest|matches|matches_back|centres|directions|samples|neighbours|segments|features", COUNT),
    (r"drop", SHARE),
    (r"(predictor_)?dropout", (0, 0.99, False)),
    (r"images|channels|bottleneck|whitening_size|window|horizon|stride|reference", COUNT),
    (r"patch|cell|mask_unit|colours|(.*_)?heads|.*_depth|class_tokens", COUNT),
    (r"knots", (2, math.inf, False)),
    (r"text_length", COUNT),
    (r"label_smoothing|discount", SHARE),
    (r"((positive|negative|circle)_)?scale", POSITIVE),
)


def check(knob: Knob, value: Any) -> None:
    """Raises ValueError if a value is none that the knob's type and range allow.

    Numbers and tuples of sizes are checked, other types are not.

    Args:
        knob: the knob, whose type is text such as "int" or "float | None".
        value: value that the user gave.
    """
    plain = knob.type.removesuffix(" | None")
    if value is None and plain != knob.type:
        return
    if plain.startswith("tuple[int"):
        return check_sizes(knob, value)
    if plain not in ("int", "float"):
        return
    check_number(knob.name, value, *_span(knob), plain == "int")


def words(knob: Knob) -> str:
    """Returns the range of a number as text, such as "at least 1"; "" for other types."""
    return _words(*_span(knob)) if knob.type.removesuffix(" | None") in ("int", "float") else ""


def _span(knob: Knob) -> tuple[float, float, bool]:
    return next((span for name, span in RULES if re.fullmatch(name, knob.name)), (0, math.inf, False))


def check_sizes(knob: Knob, value: Any) -> None:
    """Raises ValueError if a value is not the tuple of integers of 1 or more that the knob's type says.

    Args:
        knob: the knob, of a type such as "tuple[int, int]", "tuple[int | None, int]" or "tuple[int, ...]".
        value: value that the user gave.
    """
    sizes = [one.strip() for one in knob.type.removesuffix(" | None").removeprefix("tuple[").rstrip("]").split(",")]
    fits = isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0
    if fits and sizes[-1] == "...":
        sizes = sizes[:1] * len(value)
    if not fits or len(value) != len(sizes) or not all(map(_is_size, sizes, value)):
        raise ValueError(f"{knob.name} must be {' x '.join(sizes)}, each 1 or more, got {value!r}")


def _is_size(kind: str, value: Any) -> bool:
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    return value is None and "None" in kind or whole and value >= 1


def check_number(
    name: str, value: Any, low: float, high: float = math.inf, above: bool = False, whole: bool = False
) -> None:
    """Raises ValueError if a value is not a finite number in a range.

    Args:
        name: name of the argument, for the message.
        value: value that the user gave.
        low, high: minimum and maximum.
        above: whether the minimum itself is excluded.
        whole: whether the number must be an integer.
    """
    kind, article = (Integral, "an integer") if whole else (Real, "a number")
    if isinstance(value, bool) or not isinstance(value, kind):
        raise ValueError(f"{name} must be {article}, got {value!r}")
    if not low <= value <= high or above and value == low or math.isinf(value):
        raise ValueError(f"{name} must be {_words(low, high, above)}, got {value!r}")


def _words(low: float, high: float, above: bool) -> str:
    least = f"above {low:g}" if above else f"at least {low:g}"
    return least if math.isinf(high) else f"{least} and at most {high:g}"
