"""The search space beside a recipe's knobs: SPACE = {"learning_rate": (1e-4, 1e-2, "log"), "temperature": [0.1, 0.5]}.

A list holds choices. A tuple is a range, of whole numbers if both ends are; "log" draws evenly over powers of ten.
"""

import ast
from pathlib import Path
from typing import Any

import keras_tuner

Space = dict[str, list | tuple]


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
            f"the search space of {where} is empty: write SPACE = {{knob: [choices]}} for free knobs there"
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
