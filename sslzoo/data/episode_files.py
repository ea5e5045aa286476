"""Episodes from files: an .npz file of frames with actions and states, or a folder of videos, an episode each."""

import dataclasses
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sslzoo.data.arrays import from_array
from sslzoo.data.captions import Captions
from sslzoo.data.dataset import DataError, Dataset, Splits
from sslzoo.data.episodes import Episodes
from sslzoo.data.images import shrink
from sslzoo.data.moving_dot import moving_dot

PREFIX = "episodes:"
VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".gif")
CONTENT = "frames (n, height, width, channels) and episode (n,), and optionally time, action, reward, state and mission"


def load_episodes(
    source: str | Path | Mapping[str, Any], *, stack: int = 1, max_size: int | None = None, name: str | None = None
) -> Splits:
    """Frames with their episodes; a fifth of the episodes, drawn with a fixed seed, is the test part.

    Args:
        source: the path of an .npz file, as `sslzoo record` writes it; of a video; of a folder of videos, each an
            episode; a mapping of arrays as in such a file; or "dot" or "plain_dot", generated environments, "dot:300"
            with 300 episodes in place of 60. The arrays are "frames" (n, height, width[, channels]), "episode" (n,)
            integers, and optionally "time" (n,) integers, by default the order of the frames; "action", (n,) integers
            of discrete actions or (n, dim); "reward" (n,); "state" (n, variables) with "state_names"; "mission" (n,), a
            sentence on the episode.
        stack: number of consecutive frames that are the channels of one image; the first frame of an episode is
            repeated.
        max_size: longest side in pixels; larger frames are shrunk.
        name: of the dataset; that of the file by default.

    Raises:
        DataError: a line that says what is wrong and what to do.
    """
    arrays, found = _arrays(source, max_size)
    try:
        dataset = from_array(_frames(arrays), name=name or found, max_size=max_size)
        episodes = _episodes(arrays, len(dataset))
    except DataError as error:
        raise DataError(f"{found}: {error}") from None
    if stack != 1:
        dataset = _stacked(dataset, episodes, stack)
    captions = Captions(tuple((str(text),) for text in arrays["mission"])) if "mission" in arrays else None
    number = len(np.unique(episodes.episode))
    notes = (*dataset.notes, f"{number} episodes of {len(dataset) / number:.1f} frames on average")
    dataset = dataclasses.replace(dataset, episodes=episodes, captions=captions, notes=notes)
    held_out = episodes.held_out()
    return Splits(dataset.take(~held_out), dataset.take(held_out)) if held_out.any() else Splits(dataset)


def _arrays(source: Any, max_size: int | None) -> tuple[Mapping[str, Any], str]:
    """The arrays of a source, and its name."""
    if isinstance(source, Mapping):
        return source, "episodes"
    if made := re.fullmatch(r"((?:plain_)?dot)(?::([1-9]\d*))?", str(source)):
        return moving_dot(int(made[2] or 60), plain=made[1] == "plain_dot"), made[1]
    path = Path(source).expanduser()
    if path.suffix == ".npz":
        try:
            with np.load(path, allow_pickle=False) as kept:
                return dict(kept), path.stem
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} cannot be read ({error}): give an .npz file of arrays, with {CONTENT}") from error
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    videos = [file for file in files if file.suffix.lower() in VIDEOS]
    if not videos:
        raise DataError(f"no episodes in {path}: give an .npz file, a video ({', '.join(VIDEOS)}) or a folder of these")
    clips = [shrink(_video(video), max_size) for video in videos]
    if len({clip.shape[1:] for clip in clips}) > 1:
        sizes = ", ".join(sorted({f"{clip.shape[2]}x{clip.shape[1]}" for clip in clips}))
        raise DataError(f"the videos in {path} have several sizes ({sizes}): convert them to one")
    lengths = list(map(len, clips))
    return dict(frames=np.concatenate(clips), episode=np.repeat(np.arange(len(clips)), lengths)), path.stem


def _video(path: Path) -> np.ndarray:
    """The frames of a video, uint8 (n, height, width, 3)."""
    import cv2

    reader, frames = cv2.VideoCapture(str(path)), []
    while (found := reader.read())[0]:
        frames.append(found[1][..., ::-1])
    reader.release()
    if not frames:
        raise DataError(f"{path} cannot be read as a video: convert it, or leave it out")
    return np.stack(frames)


def _frames(arrays: Mapping[str, Any]) -> np.ndarray:
    if missing := {"frames", "episode"} - arrays.keys():
        raise DataError(f"no array {' and '.join(sorted(missing))}: give {CONTENT}")
    return arrays["frames"]


def _episodes(arrays: Mapping[str, Any], count: int) -> Episodes:
    names = ("episode", "time", "action", "reward", "state", "mission")
    known = {name: np.asarray(arrays[name]) for name in names if name in arrays}
    for name, column in known.items():
        if len(column) != count:
            raise DataError(f"{name} has {len(column)} entries, there are {count} frames")
        if name in ("episode", "time") and column.dtype.kind not in "iu":
            raise DataError(f"{name} is {column.dtype}: give integers, one for each frame")
    episode, state = known["episode"].reshape(-1).astype(np.int64), known.get("state")
    state = None if state is None else np.float32(state).reshape(count, -1)
    names = tuple(map(str, arrays.get("state_names", range(0 if state is None else state.shape[1]))))
    time = known["time"].reshape(-1).astype(np.int64) if "time" in known else _order(episode)
    if len(np.unique(np.stack([episode, time]), axis=1).T) < count:
        raise DataError("two frames of an episode have the same time: number the frames of each episode")
    reward = np.float32(known["reward"]).reshape(-1) if "reward" in known else None
    return Episodes(episode, time, _actions(known.get("action")), reward, state, names)


def _order(episode: np.ndarray) -> np.ndarray:
    """Number of each frame within its episode, in the order of the frames."""
    time = np.empty(len(episode), np.int64)
    for one in np.unique(episode):
        rows = np.flatnonzero(episode == one)
        time[rows] = np.arange(len(rows))
    return time


def _actions(action: np.ndarray | None) -> np.ndarray | None:
    """Actions as vectors (n, dim): discrete ones one-hot."""
    if action is None or action.dtype.kind == "f":
        return None if action is None else np.float32(action).reshape(len(action), -1)
    flat = action.reshape(-1)
    if len(flat) != len(action) or flat.min() < 0:
        raise DataError("actions are integers of several columns or below 0: give (n,) from 0, or floats (n, dim)")
    return np.eye(int(flat.max()) + 1, dtype=np.float32)[flat]


def _stacked(dataset: Dataset, episodes: Episodes, stack: int) -> Dataset:
    """The dataset with each frame behind the `stack` - 1 frames before it, along the channels."""
    if stack < 1:
        raise DataError(f"stack is {stack}: give a number of frames, 1 or more")
    before = episodes.earlier(stack)

    def read(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images, sizes = dataset.examples(before[index].reshape(-1))
        images = np.moveaxis(images.reshape(len(index), stack, *images.shape[1:]), 1, 3)
        return images.reshape(*images.shape[:3], -1), sizes[stack - 1 :: stack]

    *sides, channels = dataset.shape
    return dataset.with_images(read, (*sides, channels * stack))
