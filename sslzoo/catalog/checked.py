"""Checks the arguments of public functions: numbers by the range of their names, tensors by their shapes."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from sslzoo.catalog.knobs import inspected
from sslzoo.catalog.ranges import check

Function = TypeVar("Function", bound=Callable)


def checked(*shapes: str) -> Callable[[Function], Function]:
    """Decorator of a function that raises ValueError, in one line, for arguments with which it cannot work.

    Arguments annotated `int` or `float` must lie in the range of their name, see `sslzoo.catalog.ranges`; a tensor in
    place of a number is not checked. The first arguments must have the given shapes, as far as they are known:

        @checked("N dim", "N dim")
        def loss(z_a, z_b, *, temperature: float): ...

    Args:
        *shapes: shape of each of the first arguments: names, which have one size in all shapes, of 1 or more; `N>1`
            for a size of 2 or more; `*axes` for any number of axes, equal in all shapes; `...` for any axes; "" for an
            argument that is not checked.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        numbers = {name: knob for name, knob in inspected(function).items() if name != "self"}
        tensors = list(zip(signature.parameters, shapes, strict=False))

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            given = signature.bind_partial(*args, **kwargs).arguments
            try:
                sizes: dict[str, tuple[int, str]] = {}
                for name, shape in tensors:
                    optional = given.get(name, ...) is signature.parameters[name].default
                    if shape and name in given and not optional:
                        _check_shape(name, _shape(name, given[name]), shape, sizes)
                for name in numbers.keys() & given.keys():
                    if not hasattr(given[name], "shape") or isinstance(given[name], np.generic):
                        check(numbers[name], given[name])
            except ValueError as error:
                raise ValueError(f"{function.__qualname__.removesuffix('.__init__')}: {error}") from None
            return function(*args, **kwargs)

        wrapped.shapes = dict(tensors)
        return wrapped

    return decorate


def _shape(name: str, value: Any) -> tuple[int | None, ...]:
    """The shape of a tensor, array or nested list of numbers."""
    if hasattr(value, "shape") and not isinstance(value, np.ndarray):
        return tuple(value.shape)
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} has rows of different lengths") from None
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise ValueError(f"{name} must be numbers, got {value if isinstance(value, str) else array.dtype!s}")
    return array.shape


def _check_shape(name: str, shape: tuple, expected: str, sizes: dict[str, tuple[Any, str]]) -> None:
    """Compares a shape with the expected one, and with `sizes`, the sizes found so far and where."""
    axes = expected.split()
    wanted = f"({', '.join(axes).replace('*', '...')})"
    starred = next((place for place, axis in enumerate(axes) if axis.startswith(("*", "..."))), None)
    free = 0 if starred is None else len(shape) - len(axes) + 1
    if free < 0 or starred is None and len(shape) != len(axes):
        raise ValueError(f"{name} must be {wanted}, got shape {shape}")
    if starred is not None:
        shape = (*shape[:starred], shape[starred : starred + free], *shape[starred + free :])
    for axis, size in zip(axes, shape, strict=True):
        letter, _, above = axis.partition(">")
        if size is None or axis == "...":
            continue
        least = int(above or 0) + 1
        if isinstance(size, int) and size < least:
            raise ValueError(f"{name} must be {wanted} with {letter} of {least} or more, got {size}")
        first, where = sizes.setdefault(letter, (size, name))
        if not _equal(size, first):
            raise ValueError(f"{name} must be {wanted} with {letter} {first} as in {where}, got {size}")


def _equal(one: Any, other: Any) -> bool:
    """Whether two sizes, or the sizes of two groups of axes, are equal as far as they are known."""
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return one is None or other is None or one == other
