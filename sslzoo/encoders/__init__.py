"""Images to features, one file a family: functional Keras models over float32 images in [0, 1]."""

PREFIX = "keras.applications:"


def make(name: str, input_shape: tuple[int, int, int], **knobs):
    """The encoder of that name for images (height, width, channels): (batch, height, width, channels) -> (batch, dim).

    Args:
        name: a function of this folder, such as "resnet18", or "keras.applications:NAME".
        knobs: of that function.
    """
    from importlib import import_module

    from sslzoo import catalog
    from sslzoo.catalog.knobs import nearest

    if name.startswith(PREFIX):
        from sslzoo.encoders.applications import application

        return application(input_shape, name.removeprefix(PREFIX), **knobs)
    known = catalog.encoders()
    if name not in known:
        raise ValueError(nearest("encoder", name, [*known, f"{PREFIX}NAME"]))
    return getattr(import_module(f"{__name__}.{known[name].stem}"), name)(input_shape, **knobs)
