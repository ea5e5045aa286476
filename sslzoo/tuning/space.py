"""Search spaces: {"learning_rate": (1e-4, 1e-2, "log"), "temperature": [0.1, 0.5]}.

A list holds choices. A tuple is a range, of whole numbers if both ends are; "log" draws evenly over powers of ten.
"""

import ast
from pathlib import Path
from typing import Any

import keras_tuner

from sslzoo import catalog
from sslzoo.catalog import options

Space = dict[str, list | tuple]


# Knobs that a search draws by default, if the method or its views take them.
COMMON: Space = {
    "temperature": (0.05, 0.5, "log"),
    "ema_rate": (0.002, 0.1, "log"),
    "projection_dim": [32, 64, 128, 256],
    "strength": [0.25, 0.5, 1.0],
    "min_scale": [0.08, 0.2, 0.4],
}


def default(settings: dict[str, Any]) -> Space:
    """The search space of a recipe that gives none: the learning rate and the COMMON knobs of its parts.

    Args:
        settings: arguments of `pretrain`, with "method" and "encoder".
    """
    parts = options.signatures(*(settings.get(part) for part in options.PARTS))
    rate = settings.get("learning_rate", catalog.experiment_knobs()["learning_rate"].default)
    taken = {**parts["method"], **parts["views"]}
    return {"learning_rate": (rate / 10, rate * 10, "log")} | {n: c for n, c in COMMON.items() if n in taken}


def read(path: Path) -> Space:
    """The literal that a recipe's file assigns to SPACE, {} without one; nothing is imported.

    Raises:
        ValueError: it is no literal dict.
    """
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SPACE":
            try:
                return dict(ast.literal_eval(node.value))
            except (ValueError, TypeError):
                raise ValueError(f"SPACE of {path} must be a dict of plain values, {{knob: choices}}") from None
    return {}


def check(space: Space, where: str) -> None:
    """Raises the one line for a space that is empty, with which KerasTuner would run no trial, or is none."""
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
    """The value of a knob in a trial."""
    if isinstance(choice, tuple):
        whole = all(type(end) is int for end in choice[:2])
        return (hp.Int if whole else hp.Float)(knob, *choice[:2], sampling="log" if choice[2:] else "linear")
    if all(type(value) in (int, float) for value in choice):
        whole = all(type(value) is int for value in choice)
        return hp.Choice(knob, choice if whole else [float(value) for value in choice])
    # KerasTuner turns a bool into a number, and takes neither None nor a mixture: their names are drawn.
    return {str(value): value for value in choice}[hp.Choice(knob, [str(value) for value in choice])]


def size(space: Space) -> float:
    """How many different trials there are."""
    count = 1.0
    for choice in space.values():
        if isinstance(choice, tuple) and any(type(end) is float for end in choice[:2]):
            return float("inf")
        count *= len(choice) if isinstance(choice, list) else choice[1] - choice[0] + 1
    return count


def spelt(values: dict[str, Any]) -> str:
    """Knobs as a command line has them: temperature 0.2, learning_rate 0.00123."""
    return ", ".join(f"{knob} {v:.3g}" if isinstance(v, float) else f"{knob} {v}" for knob, v in values.items())
