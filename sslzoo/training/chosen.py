"""What a training chooses by the kind of its data: the preset, the extent of the inputs, the schema of the encoder."""

from typing import Any

import keras

from sslzoo import catalog
from sslzoo.catalog import options
from sslzoo.catalog.kinds import Kind
from sslzoo.data import Dataset
from sslzoo.exports.inputs import input_extent, input_shape
from sslzoo.utils.log import log


def preset_of(method: Any, name: str, kind: Kind) -> Any:
    """The preset of a method; that of the kind, said aloud, if the kind does not have it."""
    own, chosen = options.views_of(method), options.views_of(method, kind.name)
    if chosen != own:
        log.info(f"views: {chosen}; {name}'s preset {own!r} does not exist for {kind.noun}")
    return chosen


def extent_of(encoder: Any, data: Dataset, wanted: int | None, kind: Kind) -> int:
    """The extent of the inputs: the wanted one, that of a built model, or one that suits the data."""
    if isinstance(encoder, keras.Model):
        wanted = kind.functions.input_size(data, wanted or input_shape(encoder, kind.name)[0])
        return input_extent(encoder, wanted, kind=kind.name)
    return kind.functions.input_size(data, wanted)


def schema_of(encoder: Any, data: Dataset, kind: Kind) -> dict:
    """The argument `schema` of the encoders that take it, fitted on the training data; {} for others."""
    takes = options.takes(catalog.found("encoders", encoder), "schema")
    schema = kind.functions.schema(data) if takes else None
    return {} if schema is None else {"schema": schema}


def given_of(data: Dataset, input_shape: tuple[int, ...]) -> dict[str, Any]:
    """The arguments of methods that depend on the training data."""
    classes = 0 if data.labels is None else int(data.labels.max()) + 1
    action = data.episodes.action if data.episodes else None
    known = dict(input_shape=input_shape, dataset_size=len(data), num_classes=classes)
    return known | dict(action_dim=0 if action is None else action.shape[1])
