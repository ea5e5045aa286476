"""Public checks of methods, encoders, views, evaluators and datasets: those of the package and your own.

    from sslzoo.testing import check_method

    def test_my_method():
        check_method(MyMethod, projection_dim=16)

A check raises AssertionError with one line that says what is wrong and why it matters. METHOD_CHECKS, ENCODER_CHECKS
and VIEWS_CHECKS are the parts of each check, for `pytest.mark.parametrize`.
"""

from importlib import import_module

_OBJECTS = {
    "ENCODER_CHECKS": "encoder_checks",
    "METHOD_CHECKS": "method_checks",
    "VIEWS_CHECKS": "views_checks",
    "check_dataset": "dataset_checks",
    "check_encoder": "encoder_checks",
    "check_evaluator": "evaluators",
    "check_method": "method_checks",
    "check_views": "views_checks",
    "two_devices": "require",
}
__all__ = sorted(_OBJECTS)


def __getattr__(name: str):
    if name in _OBJECTS:
        return getattr(import_module(f"{__name__}.{_OBJECTS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
