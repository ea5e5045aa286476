"""A package whose functions take precedence over modules of the same name."""

import sys
from types import ModuleType


class _FunctionsFirst(ModuleType):
    """A package in which `package.name` is the function `name` of the module `name`, not the module."""

    def __setattr__(self, name: str, value) -> None:
        if isinstance(value, ModuleType) and callable(getattr(value, name, None)):
            value = getattr(value, name)
        super().__setattr__(name, value)


def functions_first(package: str) -> None:
    """Gives functions of a package precedence over the modules of the same name that define them.

    Importing a module sets it as an attribute of its package. Without this function, `package.name` would therefore be
    the function or the module, depending on earlier imports.

    Args:
        package: `__name__` of the calling package.
    """
    sys.modules[package].__class__ = _FunctionsFirst
