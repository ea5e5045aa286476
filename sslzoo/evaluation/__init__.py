"""Encoders judged on datasets: evaluate, compare, embed, and the untrained baseline."""

from importlib import import_module

_OBJECTS = {"evaluate": "judging", "compare": "comparison", "embed": "embedding"}


def __getattr__(name: str):
    if name in _OBJECTS:
        return getattr(import_module(f"{__name__}.{_OBJECTS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_OBJECTS)
