"""Settings as text, for run folders."""

from typing import Any


def spelled(value: Any) -> Any:
    """Converts a setting to a JSON value: objects to text, other values unchanged."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if hasattr(value, "count_params") and not isinstance(value, type):
        return f"Keras model {value.name} of {value.count_params():,} parameters"
    if isinstance(value, list | tuple) and any(callable(part) for part in value):
        return [spelled(part) for part in value]
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "get_config"):
        return f"{type(value).__name__} {value.get_config()}"
    return repr(value)
