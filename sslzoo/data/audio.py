"""Audio: folders of sounds with classes and groups, and arrays of waveforms."""

import dataclasses
import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sslzoo.data import labels as numbers
from sslzoo.data import sounds
from sslzoo.data.dataset import DataError, Dataset
from sslzoo.data.known_audio import KNOWN, KnownSet
from sslzoo.data.made import of_images
from sslzoo.data.scan import files_under

PREFIX = "audio:"
RATE = 16_000  # samples per second, where nothing else is asked for
LONGEST = 10.0  # seconds of a clip that are kept
PARTS = ("train", "test")
LEAST_GROUPS = 2
GIVE = "give (n, samples), (n, samples, 1), or a list of arrays (samples,)"


@dataclasses.dataclass
class Clips:
    """Clips of one part: waveforms (samples,), and labels, groups and files where they are known."""

    waves: list[np.ndarray]
    labels: np.ndarray | None = None
    groups: list[str] | None = None
    files: tuple[str, ...] | None = None

    def take(self, rows: np.ndarray) -> "Clips":
        return Clips(
            [self.waves[row] for row in rows],
            None if self.labels is None else self.labels[rows],
            self.groups and [self.groups[row] for row in rows],
            self.files and tuple(self.files[row] for row in rows),
        )


def parts(data: Any, labels: str | Path = "auto", sample_rate: int | None = None) -> dict[str, Dataset]:
    """The parts of audio.

    The files of a folder lie in CLASS/FILE or CLASS/GROUP/FILE, or in such folders within train/ and test/. Without
    these two, a fifth of the groups is the test part: a speaker, or a drum kit, is in one part only.

    Args:
        data: "audio:FOLDER", or a folder, of .wav, .flac, .ogg and .aiff files; "audio:NAME", a set of
            `known_audio`; waveforms of one rate, an array (n, samples) or (n, samples, 1) or a list of arrays
            (samples,), float within [-1, 1] or integers; a pair (waveforms, labels); or two such pairs for training and
            testing.
        labels: "auto" takes the folders as classes; "none" takes none; a path is that of a CSV file with rows
            FILE,CLASS or FILE,CLASS,GROUP.
        sample_rate: samples per second, to which files are resampled, and which arrays have; RATE if None.

    Returns:
        "train", and where the data has one "test" -> datasets of float32 (samples, 1) on one canvas.

    Raises:
        DataError: a line that says what is wrong and what to do.
    """
    rate = RATE if sample_rate is None else sample_rate
    if isinstance(data, str | os.PathLike):
        folder = Path(str(data).removeprefix(PREFIX)).expanduser()
        known = None if folder.is_dir() else KNOWN.get(str(folder))
        if known and not known.installed():
            raise DataError(f"{folder} are not in {known.folder}: install Debian's package {known.packages}")
        found, classes, notes = _of_folder(known.folder if known else folder, labels, rate, known)
        return _datasets(found, folder.resolve().name, rate, classes, notes)
    if labels not in ("auto", "none"):
        raise DataError(f"labels={str(labels)!r}: for folders of sounds; give a pair (waveforms, labels)")
    pair = isinstance(data, tuple) and len(data) == 2
    pairs = data if pair and all(isinstance(one, tuple) and len(one) == 2 for one in data) else None
    pairs = pairs or (data if pair else (data, None),)
    waves = [_waves(x) for x, _ in pairs]
    y, classes, notes = numbers.of_arrays([y for _, y in pairs], [len(x) for x in waves])
    found = {part: Clips(x, of) for part, x, of in zip(PARTS, waves, y, strict=False)}
    return _datasets(found, "array", rate, classes, notes)


def _of_folder(
    folder: Path, labels: str | Path, rate: int, known: KnownSet | None = None
) -> tuple[dict[str, Clips], tuple | None, list[str]]:
    """The clips of each part of a folder, class names, and lines for the user; `known` has both of a known set."""
    if folder.is_file():
        raise DataError(f"{folder} is a file: give the folder of the sounds")
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}{_nearest(folder)}")
    every = [os.path.relpath(path, folder) for path in files_under(str(folder))]
    files = [file for file in every if file.lower().endswith(sounds.SUFFIXES) and not (known and not known.told(file))]
    if not files:
        raise DataError(
            f"no sound in {folder}: looked for {', '.join(sounds.SUFFIXES)} in it and below, and found "
            f"{len(every)} other files"
        )
    clips, notes = _read(folder, files, rate)
    roles = [file.split(os.sep)[0].lower() for file in clips.files]
    split = {*roles} == {*PARTS}
    classes, lines = _label(clips, [file.split(os.sep)[split:-1] for file in clips.files], labels, known)
    if split:
        rows = {part: np.flatnonzero([role == part for role in roles]) for part in PARTS}
    else:
        rows = _by_group(clips, known and known.test)
        if clips.groups and len(rows) == len(PARTS):
            lines += [_said(clips, rows)]
    return {part: clips.take(some) for part, some in rows.items()}, classes, [*notes, *lines]


def _label(
    clips: Clips, names: list[list[str]], labels: str | Path, known: KnownSet | None
) -> tuple[tuple[str, ...] | None, list[str]]:
    """Gives clips their labels and groups, from the folders `names` of each file, from the class down, or elsewhere.

    Returns:
        The names of the classes, and lines for the user.
    """
    classes, lines = None, []
    if labels not in ("auto", "none"):
        clips.labels, classes, clips.groups, lines = numbers.with_groups(labels, clips.files)
    elif labels == "auto" and known:
        clips.labels, classes = numbers.by_name([known.told(file)[0] for file in clips.files])
        clips.groups = [known.told(file)[1] for file in clips.files]
    elif labels == "auto" and len({one[0] for one in names if one}) > 1 and all(names):
        clips.labels, classes = numbers.by_name([one[0] for one in names])
        clips.groups = ["/".join(one[1:]) for one in names] if all(len(one) > 1 for one in names) else None
    return classes, lines


def _nearest(folder: Path) -> str:
    close = difflib.get_close_matches(str(folder), KNOWN, 1)
    return f": did you mean audio:{close[0]}" if close else ""


def _read(folder: Path, files: Sequence[str], rate: int) -> tuple[Clips, list[str]]:
    """The sounds of the files that can be read, and lines for the user."""
    waves, kept, bad, rates = [], [], [], []
    for file in files:
        try:
            wave, own = sounds.sound(folder / file, rate)
        except sounds.NeedsPackage as error:
            raise DataError(str(error)) from error
        except sounds.Unreadable as error:
            bad.append(f"{file!r}: {error}")
            continue
        waves.append(wave)
        kept.append(file)
        rates.append(own)
    if not waves:
        raise DataError(f"none of the {len(files)} sounds in {folder} can be read, as {bad[0]}")
    notes = [f"found {len(waves)} clips, skipped {len(bad)} of {len(files)}{f', as {bad[0]}' if bad else ''}"]
    other = {own: rates.count(own) for own in sorted({*rates} - {rate})}
    if other:
        said = ", ".join(f"{count} from {own}" for own, count in other.items())
        notes.append(f"resampled to {rate} Hz: {said} Hz")
    return Clips(waves, files=tuple(kept)), notes


def _by_group(clips: Clips, given: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """The rows of the training part, and of the test part: the given groups, or a fifth of them if there are enough."""
    groups = sorted({clips.groups[row] for row in np.flatnonzero(clips.labels >= 0)}) if clips.groups else []
    if len(groups) < LEAST_GROUPS:
        return {"train": np.arange(len(clips.waves))}
    count = max(1, round(len(groups) / 5))
    held = given or {groups[place] for place in np.random.default_rng(0).permutation(len(groups))[:count]}
    test = np.array([group in held for group in clips.groups])
    return {"train": np.flatnonzero(~test), "test": np.flatnonzero(test)}


def _said(clips: Clips, rows: dict[str, np.ndarray]) -> str:
    train, test = (sorted({clips.groups[row] for row in some}) for some in rows.values())
    shown = ", ".join(test[:5]) + (", ..." if len(test) > 5 else "")
    return f"the test part are {len(test)} of {len(train) + len(test)} groups, which no training clip is of: {shown}"


def _waves(x: Any) -> list[np.ndarray]:
    """Waveforms (samples,) float32 of an array, or of a list of arrays."""
    if isinstance(x, np.ndarray) and x.dtype != object:
        if x.ndim not in (2, 3) or x.ndim == 3 and x.shape[2] != 1 or 0 in x.shape:
            raise DataError(f"audio has shape {x.shape}: {GIVE}")
    rows = [] if isinstance(x, str | bytes | dict) or not np.iterable(x) else [np.asarray(row) for row in x]
    rows = [row[:, 0] if row.ndim == 2 and row.shape[1] == 1 else row for row in rows]
    if not rows or any(row.ndim != 1 or not len(row) or row.dtype.kind not in "iuf" for row in rows):
        raise DataError(f"data is a {type(x).__name__}, which holds no waveforms: {GIVE}")
    waves = [sounds.scaled(row, row.dtype) for row in rows]
    bad = [row for row, wave in enumerate(waves) if not np.isfinite(wave).all()]
    if bad:
        raise DataError(f"{len(bad)} of {len(waves)} clips have values that are not finite, the first is {bad[0]}")
    return waves


def _datasets(
    found: dict[str, Clips], name: str, rate: int, classes: tuple[str, ...] | None, notes: list[str]
) -> dict[str, Dataset]:
    most = int(LONGEST * rate)
    sizes = [len(wave) for clips in found.values() for wave in clips.waves]
    long = sum(size > most for size in sizes)
    notes = notes + [f"{long} of {len(sizes)} clips are longer than {LONGEST:g} s: their start is kept"] * bool(long)
    seconds = [size / rate for size in sizes]
    notes = [*notes, f"{min(seconds):.2g} to {max(seconds):.2g} s, median {np.median(seconds):.2g} s, at {rate} Hz"]
    canvas = min(most, max(sizes))
    return {part: _dataset(clips, name, rate, canvas, classes, tuple(notes)) for part, clips in found.items()}


def _dataset(clips: Clips, name: str, rate: int, canvas: int, classes: Any, notes: tuple[str, ...]) -> Dataset:
    """A dataset of clips, which are kept in memory as they are and laid on the canvas when they are read."""
    waves = [wave[:canvas] for wave in clips.waves]

    def read(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = np.zeros((len(index), canvas, 1), np.float32)
        for place, row in zip(found, index, strict=True):
            place[: len(waves[row]), 0] = waves[row]
        return found, np.array([[len(waves[row])] for row in index], np.int32).reshape(-1, 1)

    fields = dict(labels=clips.labels, class_names=classes, files=clips.files, notes=notes, rate=rate)
    return of_images(name, read, len(waves), (canvas, 1), np.float32, kind="audio", **fields)
