"""Old names that still work and warn; CONTRIBUTING.md has the policy."""

import functools
import warnings
from collections.abc import Callable


def warn(old: str, change: str, removal: str, stacklevel: int = 3) -> None:
    """Warns that an old name is used.

    Args:
        old: the name.
        change: what has happened to it and what to use, such as "is now `new`".
        removal: version without the old name.
        stacklevel: int, as of `warnings.warn`; 3 blames the caller of the function that calls this one.
    """
    line = f"{old} {change}; the old name is to go in version {removal}"
    warnings.warn(line, DeprecationWarning, stacklevel=stacklevel)


def renamed(removal: str, **names: str) -> Callable:
    """A decorator: a function takes old names of its keyword arguments too, and warns.

    Args:
        removal: version without the old names.
        **names: old name -> name of now.

    Raises:
        TypeError: from the function, if both names are given.
    """

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*args, **kwargs):
            for old in names.keys() & kwargs.keys():
                new = names[old]
                if new in kwargs:
                    raise TypeError(f"{function.__name__}() got both {new!r} and its old name {old!r}")
                warn(f"{old!r} of {function.__name__}()", f"is now {new!r}", removal)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return decorate
