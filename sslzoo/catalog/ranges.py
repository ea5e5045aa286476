"""Ranges of the knobs of methods, encoders and presets, checked before anything is built."""

import math
import re
from numbers import Integral, Real
from typing import Any

from sslzoo.catalog.knobs import Knob

SHARE, RATE, POSITIVE, COUNT = (0, 1, False), (0, 1, True), (0, math.inf, True), (1, math.inf, False)
# Pattern of the name -> (least, greatest, whether the least itself is excluded); the first that fits.
RULES = (
    (r"(.*_)?temperature(_end)?|sharpening|sinkhorn_epsilon|width|uniform_t|margin|align_power", POSITIVE),
    (r"vector_rate", (0, math.inf, False)),
    (r".*_rate|(.*_)?min_scale", RATE),
    (r".*_(start|warmup)|(label|dense|jigsaw|global|spread)_weight|shrinkage|patch_drop|solarize", SHARE),
    (r"hidden_(dim|layers)|negatives|local_crops|freeze_epochs|.*_iterations|mixed|query_mixed", (0, math.inf, False)),
    (r".*_(dim|size|row|blocks|groups|interval|rounds)|units|depth|grid|prototypes|clusterings|number", COUNT),
    (r"hardest|matches|matches_back", COUNT),
)


def check(knob: Knob, value: Any) -> None:
    """Raises ValueError if a value is none that the knob's type and range allow.

    Args:
        knob: gives the name and the type, such as "int" or "float | None".
        value: of the user.
    """
    plain = knob.type.replace(" | None", "")
    if value is None and "None" in knob.type or plain not in ("int", "float"):
        return
    kind, article = (Integral, "an integer") if plain == "int" else (Real, "a number")
    if isinstance(value, bool) or not isinstance(value, kind):
        raise ValueError(f"{knob.name} must be {article}, got {value!r}")
    low, high, above = next((span for name, span in RULES if re.fullmatch(name, knob.name)), (0, math.inf, False))
    if not low <= value <= high or above and value == low or math.isinf(value):
        raise ValueError(f"{knob.name} must be {_words(low, high, above)}, got {value!r}")


def _words(low: float, high: float, above: bool) -> str:
    least = f"above {low:g}" if above else f"at least {low:g}"
    return least if math.isinf(high) else f"{least} and at most {high:g}"
