"""The kinds of data: one table of all that differs between images, series and further kinds.

A kind is a line of KINDS and a module of functions, such as `sslzoo.views.of_series`. The rest of the package asks the
table and has no cases. The functions of such a module:

    input_size(dataset, wanted)        extent of the inputs: the wanted one, or one chosen from the data
    input_shape(size, channels)        shape of an input of the encoder
    evaluation(size)                   function (examples, sizes) -> inputs, without anything random
    samples(shape)                     eight inputs by which formats of an export are compared, and what they are of
    baselines(size, dataset)           title -> Baseline, what needs no encoder; only the titles count without a dataset
    schema(dataset)                    what an encoder needs besides the shape, fitted on the training part, or None
    draw(chain, batch, path, dataset)  contact sheet of views; returns a table of their operations, or ""
    views(size, channels, dataset)     mild views, by which reports measure how an encoder changes
    bank(dataset)                      what presets with an argument `bank` take from the training part, or None
"""

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from sslzoo.catalog.knobs import AUTO, nearest


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of data.

    Attributes:
        name: of the kind, and of the main column of its datasets.
        noun: plural, in messages.
        axes: names of the axes of an example; the last one is not padded.
        extent: argument of the presets that is the extent of a view.
        second: their other argument that pretraining sets, `channels` or `bank`; "" for none.
        unit: of the extent.
        values: what the numbers of an input are, for cards.
        dtype: of an input.
        module: of the functions above.
        folder: pattern of the files of its presets, in views/.
        encoders: pattern of the files of its encoders, in encoders/, where the number of axes does not decide; or "".
        options: options of `data.load` that the reader takes.
        reader: module with `parts(data)`, which reads sources other than folders, TFDS and streams; "" for none.
        pixels: the numbers are pixels, which shrinking, `value_range` and other options of images apply to.
        preset: preset of methods whose own preset the kind does not have.
        repeats: an encoder of several channels takes examples of one channel, which is repeated.
        prefixes, suffixes: of the names of sources, and of files, that are of this kind.
        recognizes: whether an object in memory is of this kind.
        sample: name of data of this kind, on which methods for no other kind are trained by default.
        defaults: defaults of an experiment that differ from those of images.
    """

    name: str
    noun: str
    axes: tuple[str, ...]
    extent: str
    unit: str
    values: str
    module: str
    folder: str
    encoders: str = ""
    second: str = "channels"
    dtype: str = "float32"
    preset: str = "simclr"
    reader: str = ""
    options: tuple[str, ...] = ()
    pixels: bool = False
    repeats: bool = False
    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    sample: str = ""
    recognizes: Callable[[Any], bool] = lambda data: False
    defaults: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def functions(self) -> ModuleType:
        """The module of its functions, imported when it is asked for."""
        return importlib.import_module(self.module)

    @property
    def shape(self) -> str:
        """The axes of an example as text, such as "(height, width, channels)"."""
        return f"({', '.join(self.axes)})"


def is_table(data: Any) -> bool:
    """Whether an object is a table with named columns: a DataFrame, a dict, or a structured array."""
    frame = hasattr(data, "columns") and hasattr(data, "dtypes")
    return frame or isinstance(data, Mapping) or bool(getattr(getattr(data, "dtype", None), "names", None))


# Defaults of small encoders of little data.
SMALL = dict(batch_size=AUTO, optimizer="adam", learning_rate=1e-3, learning_rate_rule="none", weight_decay=0.0)
KINDS = {
    "image": Kind(
        name="image",
        noun="images",
        axes=("height", "width", "channels"),
        extent="size",
        unit="px",
        values="in [0, 1], normalized inside",
        module="sslzoo.views.of_images",
        folder="*presets.py",
        prefixes=("episodes:",),
        pixels=True,
        repeats=True,
    ),
    "series": Kind(
        name="series",
        noun="series",
        axes=("steps", "channels"),
        extent="length",
        unit="steps",
        values="as in the data, normalized inside; NaN is a missing value",
        module="sslzoo.views.of_series",
        folder="series_presets.py",
        reader="sslzoo.data.series",
        prefixes=("ucr:", "uea:"),
        suffixes=(".ts", ".npz"),
        sample="ucr:GunPoint",
        defaults=SMALL | {"encoder": "fcn_1d"},
    ),
    "audio": Kind(
        name="audio",
        noun="clips",
        axes=("samples", "channels"),
        extent="length",
        second="bank",
        unit="samples",
        values="waveforms of one channel within [-1, 1]; the log-mel is computed and normalized inside",
        module="sslzoo.views.of_audio",
        folder="audio_presets.py",
        encoders="audio*.py",
        preset="byol_a",
        reader="sslzoo.data.audio",
        options=("labels", "sample_rate"),
        prefixes=("audio:",),
        suffixes=(".wav", ".flac", ".ogg", ".aiff"),
        sample="audio:drum_kits",
        defaults=SMALL | {"encoder": "byol_a_encoder"},
    ),
    "rows": Kind(
        name="rows",
        noun="rows",
        axes=("columns",),
        extent="columns",
        second="bank",
        unit="columns",
        values="raw numbers and codes of categories, standardized inside; NaN is a missing value",
        module="sslzoo.views.of_rows",
        folder="rows_presets.py",
        reader="sslzoo.data.rows",
        options=("labels", "categories"),
        prefixes=("table:", "sklearn:"),
        suffixes=(".csv", ".parquet"),
        recognizes=is_table,
        sample="sklearn:breast_cancer",
        defaults=SMALL | {"encoder": "mlp_rows"},
    ),
    "text": Kind(
        name="text",
        noun="texts",
        axes=("tokens",),
        extent="tokens",
        second="",
        unit="tokens",
        values="numbers of tokens, 0 after the end",
        dtype="int32",
        module="sslzoo.views.of_text",
        folder="text_presets.py",
        encoders="text*.py",
        reader="sslzoo.data.texts",
        options=("labels", "tokenizer"),
        prefixes=("text:",),
        suffixes=(".txt", ".jsonl"),
        sample="text:fortunes",
        defaults=SMALL | {"encoder": "text_transformer"},
    ),
}
DEFAULT = "image"


def find(name: str) -> Kind:
    """The kind of a name.

    Raises:
        ValueError: there is none; the text suggests the nearest.
    """
    if name not in KINDS:
        raise ValueError(nearest("kind", name, KINDS))
    return KINDS[name]


def of_input(axes: int, name: str = "", dtype: str = "float32") -> Kind | None:
    """The kind of inputs, where there is one with this number of axes.

    Args:
        axes: without that of the batch.
        name: of the encoder's input; of several kinds the one of this name is preferred.
        dtype: of the input; kinds with inputs of this type are preferred next.
    """
    fitting = [one for one in KINDS.values() if len(one.axes) == axes]
    return min(fitting, key=lambda one: (one.name != name, one.dtype != dtype), default=None)


def of_encoder(encoder: Any) -> Kind | None:
    """The kind of inputs of a Keras model; None where it has no or several inputs, or of another number of axes."""
    inputs = getattr(encoder, "inputs", None) or ()
    return of_input(len(inputs[0].shape) - 1, inputs[0].name, inputs[0].dtype) if len(inputs) == 1 else None


def kind_of(data: Any, kind: str | None = None) -> str:
    """The kind of some data, without reading them.

    Args:
        data: as for `data.load`.
        kind: name of the kind that the user chose; None takes that of a Dataset, or that of the name's prefix or of the
            file's suffix, or of the type of an object, or "image".

    Raises:
        ValueError: there is no such kind, or a Dataset is of another.
    """
    own = getattr(getattr(data, "train", data), "kind", None)
    known = own if isinstance(own, str) else None
    if kind is None:
        return find(known or _of_text(data) or _of_object(data) or DEFAULT).name
    if known not in (None, find(kind).name):
        raise ValueError(f"kind={kind!r}: the data are of the kind {known!r}; leave out kind")
    return kind


def _of_text(data: Any) -> str | None:
    if not isinstance(data, str | Path):
        return None
    text = str(data)
    return next(
        (one.name for one in KINDS.values() if text.startswith(one.prefixes) or text.lower().endswith(one.suffixes)),
        None,
    )


def _of_object(data: Any) -> str | None:
    """The kind of an object in memory, or of the first of a pair (data, labels)."""
    while isinstance(data, tuple) and data:
        data = data[0]
    return next((one.name for one in KINDS.values() if one.recognizes(data)), None)
