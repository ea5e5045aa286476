"""Methods: one class for each, in a file of its own.

`sslzoo.methods.SimCLR(encoder)` builds one: `dir(sslzoo.methods)` lists the classes. A file added to this folder, with
one public subclass of `sslzoo.SSLModel`, adds a method with the name of the file.
"""


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

    return sorted([*(catalog.class_name(path) for path in catalog.methods().values()), "find"])


def find(method):
    """The class or factory of a method.

    Args:
        method: name of a file of this folder such as "simclr"; a subclass of `sslzoo.SSLModel`; or a callable
            `(encoder, **knobs) -> SSLModel`. Classes and callables are returned as they are.

    Returns:
        A callable `(encoder, **knobs) -> SSLModel`.

    Raises:
        ValueError: if the name is unknown, or the object is none of these; the message is one line.
    """
    from sslzoo import catalog
    from sslzoo.catalog.knobs import nearest

    method = catalog.found("methods", method)
    if isinstance(method, str):
        known = catalog.methods()
        if method not in known:
            raise ValueError(nearest("method", method, known))
        return __getattr__(catalog.class_name(known[method]))
    if isinstance(method, type):
        from sslzoo.model import SSLModel

        if not issubclass(method, SSLModel):
            raise ValueError(f"method: {method.__name__} is no subclass of sslzoo.SSLModel")
    elif hasattr(method, "objective"):
        raise ValueError(f"method: {type(method).__name__} is built: pass the class, or a function of an encoder")
    elif not callable(method):
        raise ValueError(f"method={method!r} is no name, subclass of sslzoo.SSLModel or function of an encoder")
    return method
