"""Datasets: examples by index, in batches that depend on the step alone."""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from sslzoo.catalog.kinds import KINDS
from sslzoo.data.captions import Captions
from sslzoo.data.columns import MainColumns, ReadMain, main_spec, taken
from sslzoo.data.companions import companions, content_of, with_partners
from sslzoo.data.described import describe
from sslzoo.data.episodes import Episodes
from sslzoo.data.order import MARKED_BYTES, classes_of, indices, marks_of
from sslzoo.utils import iterators

iterators.stop_at_exit()


class DataError(ValueError):
    """The data cannot be used; the text is one line that says what happened and what to do."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Examples by index, each of which has the same named columns.

    The main column has the name of the kind. Images are the column "image", on a canvas (height, width, channels) of
    uint8, uint16 or float32 within [0, 1]; smaller ones lie in its top-left corner, and the rest of the canvas is zero.
    Their column "size" is the height and width of each image. Series are the column "series", on a canvas (steps,
    channels) of float32 with any values; NaN is a missing value. Shorter ones lie at its start, the rest is zero, and
    their column "size" is the number of steps of each. Rows are the column "rows", (columns,) float32: numbers, and
    codes of categories; NaN is a missing value. They have no axis to pad: "size" is empty. Further columns belong to
    the same examples.

    Attributes:
        name: name that the user gave.
        read: indices (k,) int64 -> {column: array (k, ...)}, with the columns of `spec`.
        count: number of examples.
        spec: {column: TensorSpec of one example}.
        labels: (count,) int32 from 0, and -1 for an image without a label; or None.
        class_names: name of each label, or None.
        files: each image's file, relative to the dataset's folder, or None.
        notes: lines for the user, such as which files were skipped.
        in_memory: reading is cheap, and is done a batch at a time instead of an image at a time in parallel.
        content: index -> the bytes of the image's file; None if the images are in no files.
        version: changes with the content of any file, where that is known; "" where it is not.
        kind: kind of the examples, "image", "series", "audio", "rows" or "text", and name of the main column.
        columns: of rows, a dict for each column: "name", "kind" ("number" or "category"), and its "categories" in the
            order of their codes; fitted on the training part. Of texts one dict, the arguments of their `Tokenizer`.
        graph: index () int64 -> {column: tensor of one example}, what `read` returns in TensorFlow operations; or None.
        digests: (count,) uint64, which change with the content of each image; None where they are to be computed.
        texts: of texts, the strings whose tokens the main column has.
        captions: of the images; where they have tokens, these are the column "text" of batches. Or None.
        rate: of audio, samples per second; None for other kinds.
        episodes: of images that are frames, their episodes, times, actions, rewards and states; or None.
        confine: indices (k,) -> None: from now on, what cannot be decoded of them is replaced by one of them; or None.
    """

    name: str
    read: Callable[[np.ndarray], dict[str, np.ndarray]]
    count: int
    spec: dict[str, tf.TensorSpec]
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    files: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    in_memory: bool = True
    content: Callable[[int], bytes] | None = None
    version: str = ""
    digests: np.ndarray | None = None
    kind: str = "image"
    columns: tuple[dict, ...] | None = None
    graph: Callable[[tf.Tensor], dict[str, tf.Tensor]] | None = None
    confine: Callable[[np.ndarray], None] | None = None
    captions: Captions | None = None
    rate: int | None = None
    texts: tuple[str, ...] | None = None
    episodes: Episodes | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an example in the main column: for images (height, width, channels) of the canvas, in pixels."""
        return tuple(self.spec[self.kind].shape)

    @property
    def dtype(self) -> np.dtype:
        """Type of the main column."""
        return np.dtype(self.spec[self.kind].dtype.as_numpy_dtype)

    @property
    def noun(self) -> str:
        """What messages call the examples: "images", "series"."""
        return KINDS[self.kind].noun if self.kind in KINDS else "examples"

    def examples(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The main column (k, *shape) and its "size" (k, axes) int32 at indices (k,)."""
        found = self.read(index)
        return found[self.kind], found["size"]

    def with_images(self, read: ReadMain, shape: tuple[int, ...] | None = None, **fields) -> "Dataset":
        """The same dataset with another main column.

        Args:
            read: indices (k,) -> examples and their sizes.
            shape: of the canvas, if it changes.
            **fields: other attributes that change.
        """
        spec = self.spec | main_spec(shape or self.shape, self.dtype, self.kind)
        others = self.read if spec.keys() - {self.kind, "size"} else None
        columns = MainColumns(read, others, self.kind)
        return dataclasses.replace(self, read=columns, spec=spec, **{"graph": None, **fields})

    def __len__(self) -> int:
        return self.count

    def __repr__(self) -> str:
        return f"<{describe(self)}>"

    def batches(
        self,
        batch_size: int,
        *,
        seed: int | None = None,
        start: int = 0,
        stop: int | None = None,
        drop_remainder: bool = True,
        share: tuple[int, int] = (0, 1),
        examples_per_class: int = 0,
    ) -> tf.data.Dataset:
        """The batches of the steps `start` to `stop - 1`.

        Without a seed: in order, once. With a seed: shuffled epochs of `len(self) // batch_size` full batches without
        end, in an order that is a function of (seed, epoch, position) alone, so that starting late gives at once what
        an uninterrupted run would give then. No image comes twice in an epoch, unless batches are class-balanced.

        Args:
            batch_size: images per batch, B.
            seed: of the order, or None for one pass in order.
            start, stop: steps; `stop=None` means to the end, if there is one.
            drop_remainder: leave out the last batch of the pass in order when it is short.
            share: (number, of): only part `number` of `of` equal parts of each full batch, as one of several
                workers needs them.
            examples_per_class: of shuffled batches, the examples of each class of `order.classes_of`; see
                `order.balanced`. 0 leaves the classes to chance.

        Returns:
            Dicts of the main column, such as `image` (B, height, width, channels), `size` (B, 2) int32, `index` (B,)
            int64 in the dataset, `row` (B,) int32 in the batch, `step` (B,) int64, `label` (B,) int32 where there are
            labels, `text` (B, captions, length) int32 where there are tokens of captions, and with a relation the
            columns of `Episodes.columns` and `partners` (B, partners, height, width, channels).

        Raises:
            DataError: no full batch can be made, or no equal shares of it.
        """
        part = self._part(batch_size, share)
        end = self._end(batch_size, seed, drop_remainder)
        steps = tf.data.Dataset.range(start, end if stop is None else min(stop, end))
        classes = classes_of(self) if examples_per_class else None
        order = functools.partial(indices, self.count, batch_size, seed, classes, examples_per_class)
        columns = steps.map(lambda step: self._columns(step, order(step), batch_size, seed, drop_remainder, part))
        parallel = functools.partial(tf.data.Dataset.map, num_parallel_calls=tf.data.AUTOTUNE)
        read = functools.partial(with_partners, self)
        if self.in_memory:
            return parallel(columns, read)
        if self.graph and "partner" not in columns.element_spec:
            images = parallel(columns.unbatch(), lambda example: example | self.graph(example["index"]))
        else:
            images = parallel(columns.unbatch().batch(1, drop_remainder=True), read).unbatch()
        return images.batch(batch_size // share[1], drop_remainder=drop_remainder)

    def take(self, indices: Sequence[int] | slice | np.ndarray) -> "Dataset":
        """The images at `indices` (numbers, a slice, or a mask of length `len(self)`), as a dataset."""
        chosen = np.arange(self.count)[indices]
        return dataclasses.replace(
            self,
            read=lambda index: self.read(chosen[index]),
            count=len(chosen),
            labels=None if self.labels is None else self.labels[chosen],
            files=None if self.files is None else tuple(self.files[i] for i in chosen),
            content=self.content and (lambda index: self.content(chosen[index])),
            graph=self.graph and taken(self.graph, chosen),
            digests=None if self.digests is None else self.digests[chosen],
            confine=self.confine and (lambda index: self.confine(chosen[index])),
            captions=self.captions and self.captions.take(chosen),
            texts=self.texts and tuple(self.texts[i] for i in chosen),
            episodes=self.episodes and self.episodes.take(chosen),
        )

    def part(self, indices: Sequence[int] | slice | np.ndarray) -> "Dataset":
        """As `take`; no image of the part is ever replaced by one of another part, such as the test part."""
        if self.confine:
            self.confine(np.arange(self.count)[indices])
        return self.take(indices)

    def sample(self, count: int, seed: int = 0) -> "Dataset":
        """At most `count` of the images, drawn by `seed`, in their order; of episodes all frames or none."""
        if self.count <= count:
            return self
        if self.episodes:
            return self.take(self.episodes.sample(count, seed))
        return self.take(np.sort(np.random.default_rng(seed).permutation(self.count)[:count]))

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """The main column of all examples (count, *shape) and their sizes; for data that fit into memory."""
        return self.examples(np.arange(self.count))

    def labelled(self) -> "Dataset":
        """The images that have labels; the dataset itself where all have, or none."""
        return self if self.labels is None or np.all(self.labels >= 0) else self.take(self.labels >= 0)

    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with the shape, the labels, the captions, the file names or any image.

        Images are compared by their digests, which are those of the ends of their files, or else by their pixels, which
        reads all of them. Of data that TFDS reads by index, whose names have versions, 64 images are compared.
        """
        digest = hashlib.sha256(self.sampled_fingerprint().encode())
        digest.update(np.ascontiguousarray(self.marks, "<u8"))
        digest.update(content_of(self))
        return digest.hexdigest()[:16]

    @functools.cached_property
    def marks(self) -> np.ndarray:
        """(count,) uint64 that change with the content of each image."""
        if self.digests is not None:
            return self.digests
        each = max(1, int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize)
        blocks = np.array_split(np.arange(self.count), max(1, self.count * each // MARKED_BYTES))
        return np.concatenate([marks_of(*self.examples(rows)) for rows in blocks])

    def sampled_fingerprint(self) -> str:
        """The fingerprint of sslzoo 0.1, which runs and exports of then carry: of all images, it read 64."""
        images, sizes = self.examples(np.unique(np.linspace(0, self.count - 1, 64).astype(np.int64)))
        digest = hashlib.sha256(repr((self.count, self.shape, str(self.dtype), self.files)).encode())
        labels = [] if self.labels is None else self.labels
        for part in (images, sizes.astype(np.int32), np.asarray(labels, np.int32)):
            digest.update(np.ascontiguousarray(part))
        return digest.hexdigest()[:16]

    def _end(self, batch_size: int, seed: int | None, drop_remainder: bool) -> int:
        """The number of steps there are."""
        if not 1 <= batch_size <= self.count and (drop_remainder or batch_size < 1):
            raise DataError(
                f"{self.name} has {self.count} {self.noun}, which do not fill a batch of {batch_size}: "
                f"set the batch size between 1 and {self.count}"
            )
        if seed is None:
            return self.count // batch_size if drop_remainder else math.ceil(self.count / batch_size)
        if not drop_remainder:
            raise DataError("shuffled batches are always full: leave out drop_remainder=False, or the seed")
        return np.iinfo(np.int64).max

    def _part(self, batch_size: int, share: tuple[int, int]) -> slice:
        """The rows of a share."""
        if batch_size % share[1]:
            raise DataError(
                f"a batch of {batch_size} is no multiple of {share[1]} workers: choose "
                f"{max(1, batch_size // share[1]) * share[1]}"
            )
        rows = batch_size // share[1]
        return slice(share[0] * rows, (share[0] + 1) * rows)

    def _columns(
        self, step: tf.Tensor, index: tf.Tensor, batch_size: int, seed: int | None, full: bool, part: slice
    ) -> dict[str, tf.Tensor]:
        if not full:
            index = index[index < self.count]
        row, index = tf.range(tf.shape(index)[0])[part], index[part]
        columns = dict(index=index, row=row, step=tf.fill(tf.shape(index), step))
        columns |= companions(self, index, row, step, batch_size, seed)
        return {name: tf.ensure_shape(column, (*index.shape, *column.shape[1:])) for name, column in columns.items()}

    def read_columns(self, index: tf.Tensor) -> list[tf.Tensor]:
        """The columns at indices (k,) within a graph, in the order of `spec`."""
        # The array stays in NumPy: as a tensor it would become part of the graph, which may not exceed 2 GB.
        return tf.numpy_function(self.ordered, [index], self.types)

    def ordered(self, index: np.ndarray) -> list[np.ndarray]:
        """The columns at indices (k,), in the order of `spec`."""
        found = self.read(index)
        return [found[name] for name in self.spec]

    @property
    def types(self) -> list[tf.DType]:
        """Types of the columns, in the order of `spec`."""
        return [spec.dtype for spec in self.spec.values()]


class Splits(NamedTuple):
    """What to train on and what to judge on."""

    train: Dataset
    test: Dataset | None = None
