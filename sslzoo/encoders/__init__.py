"""Encoders: functional Keras models from inputs to features, one file for each family.

Encoders of images take float32 images in [0, 1], encoders of series take the values as they are in the data.

`sslzoo.encoders.NAME(input_shape, **knobs)` builds one: `dir(sslzoo.encoders)` lists the names. A file added to this
folder, with a public function whose only argument without a default is `input_shape`, adds an encoder.
"""

from collections.abc import Callable

from sslzoo.utils.lazy import functions_first

functions_first(__name__)


def __getattr__(name: str):
    from importlib import import_module

    from sslzoo import catalog

    known = catalog.every_encoder()
    if name not in known:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{known[name].stem}"), name)


def __dir__() -> list[str]:
    from sslzoo import catalog

    return sorted([*catalog.every_encoder(), "make"])


def make(encoder, input_shape: tuple, **knobs):
    """The encoder for inputs of a shape, (batch, *input_shape) -> (batch, features).

    Args:
        encoder: name of a function of this package such as "resnet18", or "keras.applications:NAME"; a callable
            `(input_shape, **knobs) -> keras.Model`; or a built functional or sequential model, which is returned as it
            is.
        input_shape: (height, width, channels) of images, (steps, channels) of series, (columns,) of rows, (tokens,) of
            texts.
        **knobs: arguments of the function. A built model takes none.

    Returns:
        A functional or sequential `keras.Model`.

    Raises:
        ValueError: if the name is unknown, or the model does not fit; the message is one line.
    """
    import keras

    from sslzoo import catalog

    encoder = catalog.found("encoders", encoder)
    if isinstance(encoder, str):
        _check_kind(encoder, input_shape)
        return _named(encoder)(input_shape, **knobs)
    if isinstance(encoder, keras.Model):
        if knobs:
            raise ValueError(f"{encoder.name} is built: it takes no {', '.join(f'{name}=' for name in knobs)}")
        return check(encoder, input_shape)
    if not callable(encoder):
        raise ValueError(f"encoder={encoder!r} is no name, Keras model or function (input_shape, **knobs) -> model")
    return check(encoder(input_shape, **knobs), input_shape)


def check(encoder, input_shape: tuple | None = None):
    """Returns the encoder if methods can train it.

    Args:
        encoder: the model.
        input_shape: shape of the inputs that it must accept; any if None.

    Raises:
        ValueError: if it is no built functional or sequential model, has no features (batch, dim), or takes inputs of
            another shape.
    """
    import keras

    name, how = getattr(encoder, "name", repr(encoder)), "keras.Model(inputs, features), or keras.Sequential"
    if not isinstance(encoder, keras.Model):
        raise ValueError(f"encoder: {name} is no Keras model, but a {type(encoder).__name__}: return {how}")
    if not isinstance(encoder, keras.Sequential) and not hasattr(encoder, "operations"):
        raise ValueError(f"encoder: {name} is a subclassed model, which cannot be copied or exported: build {how}")
    if not encoder.built or not encoder.inputs:
        raise ValueError(f"encoder: {name} is not built: start it with keras.Input({tuple(input_shape or ())})")
    shapes = [tuple(tensor.shape[1:]) for tensor in (*encoder.inputs, *encoder.outputs)]
    if len(shapes) != 2 or len(shapes[1]) != 1:
        raise ValueError(f"encoder: {name} gives {shapes[1:]}: it needs one input and one output (batch, features)")
    if input_shape is None:
        return encoder
    fits = len(shapes[0]) == len(input_shape) and all(
        None in pair or pair[0] == pair[1] for pair in zip(shapes[0], input_shape, strict=True)
    )
    if not fits:
        raise ValueError(f"encoder: {name} takes inputs of shape {shapes[0]}, the data has {tuple(input_shape)}")
    return encoder


def copied(model):
    """Returns a copy of a model with new variables, in the current scope, and the same weights."""
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def _check_kind(name: str, input_shape: tuple) -> None:
    """Raises ValueError if an encoder of this package takes inputs of another kind than those of a shape."""
    from sslzoo import catalog
    from sslzoo.catalog.kinds import DEFAULT, KINDS, of_input

    kind = next((kind for kind in KINDS if name in catalog.encoders(kind)), DEFAULT)
    found = of_input(len(input_shape), kind)
    wanted = found.name if found else kind
    if kind != wanted:
        known = ", ".join(catalog.encoders(wanted))
        raise ValueError(
            f"encoder={name!r} takes {KINDS[kind].noun}, the data are {KINDS[wanted].noun} of shape {input_shape}: "
            f"choose one of {known}"
        )


def _named(name: str) -> Callable:
    from functools import partial

    from sslzoo import catalog
    from sslzoo.catalog.knobs import nearest

    if name.startswith(catalog.APPLICATIONS):
        from sslzoo.encoders.applications import application

        return partial(application, name=name.removeprefix(catalog.APPLICATIONS))
    known = catalog.every_encoder()
    if name not in known:
        raise ValueError(nearest("encoder", name, [*known, f"{catalog.APPLICATIONS}NAME"]))
    return __getattr__(name)
