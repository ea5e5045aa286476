"""The signature and the documentation of `pretrain`, made of the fields of an experiment and of run options."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import TypeVar

from sslzoo.catalog.knobs import described
from sslzoo.training.experiment import Experiment, RunOptions

Function = TypeVar("Function", bound=Callable)


def composed(function: Function) -> Function:
    """Gives `pretrain` the signature and the documentation of the fields of both dataclasses."""
    own = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD]
    taken = {p.name for p in own} | {"knobs"}
    fields = [f for cls in (Experiment, RunOptions) for f in dataclasses.fields(cls) if f.name not in taken]
    more = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type) for f in fields
    ]
    knobs = inspect.Parameter("knobs", inspect.Parameter.VAR_KEYWORD)
    returns = inspect.signature(function).return_annotation
    function.__signature__ = inspect.Signature([*own, *more, knobs], return_annotation=returns)
    known = described(Experiment.__doc__) | described(RunOptions.__doc__)
    names = [p.name for p in (*own, *more)]
    function.__doc__ = function.__doc__.replace("{fields}", "\n        ".join(f"{n}: {known[n]}" for n in names))
    return function
