"""The report in TensorBoard: pictures, scores, histograms of the weights, and the features in its projector."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector

from sslzoo.evaluation.judging import TRAINED
from sslzoo.reports.charts import visible
from sslzoo.reports.study import Chapter, Study
from sslzoo.utils.files import replacing

POINTS = 1000
SPRITE = 4096  # pixels; TensorBoard takes at most 8192 a side


def write(folder: str | Path, study: Study, chapters: Sequence[Chapter]) -> None:
    """Writes events and the files of TensorBoard's projector.

    Args:
        folder: a log directory, such as that of a run's events.
        study: its features and images.
        chapters: of the report.
    """
    folder = Path(folder)
    with tf.summary.create_file_writer(str(folder)).as_default(0):
        for chapter in chapters:
            _chapter(chapter)
        for weight in study.encoders[TRAINED].weights:
            tf.summary.histogram(f"weights/{weight.path}", keras.ops.convert_to_numpy(weight))
    _projector(folder, study)


def _chapter(chapter):
    for picture in chapter.pictures:
        tf.summary.image(
            f"report/{picture.name}", tf.io.decode_png(picture.png, channels=3)[None], description=picture.caption
        )
    for row in chapter.rows:
        if row.mean is not None:
            tf.summary.scalar(f"report {row.features}/{row.metric}", row.mean)


def _projector(folder, study):
    images, labels = study.few(study.test, POINTS)
    vectors = study.functions[TRAINED](images)
    names = [study.names[label] for label in labels] if study.labelled else []
    embeddings(
        folder, f"{study.train.name} {vectors.shape[1]} features", vectors, images if study.kind.pixels else None, names
    )


def embeddings(
    folder: Path,
    title: str,
    vectors: np.ndarray,
    images: np.ndarray | None,
    classes: Sequence[str] = (),
    side: int = SPRITE,
) -> None:
    """Writes the files of TensorBoard's projector, which needs no checkpoint.

    Args:
        folder: a log directory.
        title: of the points.
        vectors: features (n, dim), written as tab-separated values.
        images: (n, height, width, channels) in [0, 1], shown at the points; None for data that are no images.
        classes: name of the class of each point, if known.
        side: maximum side of the sheet of the images, in pixels.
    """
    _save(folder / "features.tsv", "\n".join("\t".join(f"{value:.6g}" for value in row) for row in vectors))
    if len(classes):
        _save(folder / "labels.tsv", "\n".join(" ".join(str(name).split()) for name in classes))
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name = title
    embedding.tensor_path, embedding.metadata_path = "features.tsv", "labels.tsv" if len(classes) else ""
    if images is not None:
        width = _sprite(folder / "sprite.png", images, side)
        embedding.sprite.image_path = "sprite.png"
        embedding.sprite.single_image_dim.extend([width, width])
    projector.visualize_embeddings(str(folder), config)


def _save(path, text):
    with replacing(path) as beside:
        beside.write_text(text + "\n", "utf-8")


def _sprite(path, images, most=SPRITE) -> int:
    """A square sheet of all images, row by row; returns the side of one of them in pixels."""
    columns = int(np.ceil(len(images) ** 0.5))
    step = -(-images.shape[1] * columns // most)
    shown = np.stack([visible(image[::step, ::step]) for image in images])
    shown = shown if shown.ndim == 4 else np.repeat(shown[..., None], 3, axis=-1)
    side = shown.shape[1]
    sheet = np.zeros((columns * side, columns * side, 3), "uint8")
    for number, image in enumerate(np.uint8(np.round(255 * shown))):
        top, left = side * (number // columns), side * (number % columns)
        sheet[top : top + side, left : left + side] = image
    with replacing(path) as beside:
        tf.io.write_file(str(beside), tf.io.encode_png(sheet))
    return side
