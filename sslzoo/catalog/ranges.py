"""Ranges of the knobs of methods, encoders and presets, checked before anything is built."""

import math
import re
from numbers import Integral, Real
from typing import Any

from sslzoo.catalog.knobs import Knob

SHARE, RATE, POSITIVE, COUNT = (0, 1, False), (0, 1, True), (0, math.inf, True), (1, math.inf, False)
# Pattern of the name -> (least, greatest, whether the least itself is excluded); the first that fits.
RULES = (
    (r"(.*_)?temperature(_end)?|sharpening|sinkhorn_epsilon|width|uniform_t|margin|align_power|beta", POSITIVE),
    (r"vector_rate", (0, math.inf, False)),
    (r".*_rate|(.*_)?(min|max)_scale", RATE),
    (r".*_(start|warmup|ratio|share)|(label|dense|jigsaw|global|spread)_weight|shrinkage|patch_drop|solarize", SHARE),
    (r"hidden_(dim|layers)|negatives|local_crops|freeze_epochs|.*_iterations|mixed|query_mixed", (0, math.inf, False)),
    (r".*_(dim|size|row|blocks|groups|interval|rounds)|units|depth|grid|prototypes|clusterings|number", COUNT),
    (r"hardest|matches|matches_back|cell|mask_unit|colours|(.*_)?heads|.*_depth|class_tokens", COUNT),
)


def check(knob: Knob, value: Any) -> None:
    """Raises ValueError if a value is none that the knob's type and range allow.

    Args:
        knob: the knob, whose type is text such as "int" or "float | None".
        value: value that the user gave.
    """
    plain = knob.type.replace(" | None", "")
    if value is None and "None" in knob.type or plain not in ("int", "float"):
        return
    low, high, above = next((span for name, span in RULES if re.fullmatch(name, knob.name)), (0, math.inf, False))
    check_number(knob.name, value, low, high, above, plain == "int")


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
