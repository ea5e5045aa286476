"""One file, one method: a new file here is in the zoo, by its name."""


def __getattr__(name: str):
    from importlib import import_module

    from sslzoo import catalog

    for method, path in catalog.methods().items():
        if name in (method, catalog.class_name(path)):
            module = import_module(f"{__name__}.{method}")
            return module if name == method else getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from sslzoo import catalog

    return [catalog.class_name(path) for path in catalog.methods().values()]


def find(name: str) -> type:
    """The class of the method of that name, such as "simclr".

    Raises:
        ValueError: there is none; the text names the nearest.
    """
    from sslzoo import catalog
    from sslzoo.catalog.knobs import nearest

    known = catalog.methods()
    if name not in known:
        raise ValueError(nearest("method", name, known))
    return __getattr__(catalog.class_name(known[name]))
