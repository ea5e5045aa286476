"""Attributes of a package that are imported when they are first used."""

import sys
from types import ModuleType


class _FunctionsFirst(ModuleType):
    """A package in which `package.name` is the function `name` of the module `name`, not the module."""

    def __setattr__(self, name: str, value) -> None:
        if isinstance(value, ModuleType) and callable(getattr(value, name, None)):
            value = getattr(value, name)
        super().__setattr__(name, value)


def functions_first(package: str) -> None:
    """Makes functions hide the modules of the same name that define them.

    Importing a module sets it as an attribute of its package, so that otherwise `package.name` would be the function or
    the module, depending on what was imported before.

    Args:
        package: `__name__` of the package that calls this.
    """
    sys.modules[package].__class__ = _FunctionsFirst
