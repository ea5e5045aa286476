"""Search spaces: {"learning_rate": (1e-4, 1e-2, "log"), "temperature": [0.1, 0.5]}.

A list contains choices. A tuple is a range, of integers if both ends are integers; "log" draws log-uniformly.
"""

import ast
from pathlib import Path
from typing import Any

import keras_tuner

from sslzoo import catalog
from sslzoo.catalog import options
from sslzoo.catalog.knobs import parsed

Space = dict[str, list | tuple]


# Knobs that a search draws by default, if the method or its views have them.
COMMON: Space = {
    "temperature": (0.05, 0.5, "log"),
    "ema_rate": (0.002, 0.1, "log"),
    "projection_dim": [32, 64, 128, 256],
    "strength": [0.25, 0.5, 1.0],
    "min_scale": [0.08, 0.2, 0.4],
}


def default(settings: dict[str, Any]) -> Space:
    """Returns the default search space of a recipe: the learning rate and the COMMON knobs of its parts.

    Args:
        settings: arguments of `pretrain`, among them "method" and "encoder".
    """
    parts = options.signatures(*(settings.get(part) for part in options.PARTS))
    rate = settings.get("learning_rate", catalog.experiment_knobs()["learning_rate"].default)
    taken = {**parts["method"], **parts["views"]}
    return {"learning_rate": (rate / 10, rate * 10, "log")} | {n: c for n, c in COMMON.items() if n in taken}


def read(path: Path) -> Space:
    """Reads the literal that a recipe's file assigns to SPACE, without importing the file; {} without SPACE.

    Raises:
        ValueError: if SPACE is not a literal dict.
    """
    for node in parsed(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SPACE":
            try:
                return dict(ast.literal_eval(node.value))
            except (ValueError, TypeError):
                raise ValueError(f"SPACE of {path} must be a dict of plain values, {{knob: choices}}") from None
    return {}


def check(space: Space, where: str) -> None:
    """Raises ValueError if a space is empty, with which KerasTuner would run no trial, or malformed."""
    if not space:
        raise ValueError(
            f"the search space of {where} is empty: give it a space, {{knob: [choices]}}, of knobs that are not fixed"
        )
    for knob, choice in space.items():
        if not (_is_range(choice) or isinstance(choice, list) and choice):
            raise ValueError(
                f"SPACE of {where}: {knob} is {choice!r}; give [choices], (low, high) or (low, high, 'log'), where low "
                "is less than high, and above 0 for 'log'"
            )


def _is_range(choice: Any) -> bool:
    if not isinstance(choice, tuple) or len(choice) not in (2, 3) or choice[2:] not in ((), ("log",)):
        return False
    numbers = all(type(end) in (int, float) for end in choice[:2])
    return numbers and choice[0] < choice[1] and (choice[0] > 0 or len(choice) == 2)


def draw(hp: keras_tuner.HyperParameters, knob: str, choice: list | tuple) -> Any:
    """Draws the value of a knob for a trial."""
    if isinstance(choice, tuple):
        whole = all(type(end) is int for end in choice[:2])
        return (hp.Int if whole else hp.Float)(knob, *choice[:2], sampling="log" if choice[2:] else "linear")
    if all(type(value) in (int, float) for value in choice):
        whole = all(type(value) is int for value in choice)
        return hp.Choice(knob, choice if whole else [float(value) for value in choice])
    # KerasTuner converts bool to a number, and accepts neither None nor mixed types: their names are drawn instead.
    return {str(value): value for value in choice}[hp.Choice(knob, [str(value) for value in choice])]


def size(space: Space) -> float:
    """Returns the number of different trials of a space."""
    count = 1.0
    for choice in space.values():
        if isinstance(choice, tuple) and any(type(end) is float for end in choice[:2]):
            return float("inf")
        count *= len(choice) if isinstance(choice, list) else choice[1] - choice[0] + 1
    return count


def spelt(values: dict[str, Any]) -> str:
    """Formats knobs as text: temperature 0.2, learning_rate 0.00123."""
    return ", ".join(f"{knob} {v:.3g}" if isinstance(v, float) else f"{knob} {v}" for knob, v in values.items())
