"""What the names of folders mean: splits, and classes within them."""

import difflib
import os
import re
from typing import Any, NamedTuple

from sslzoo.data.dataset import DataError

WORDS = {
    "train": ("train", "training", "trainval", "trn"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
    "validation": ("val", "valid", "validation", "dev", "devel"),
    "unlabelled": ("unlabeled", "unlabelled", "unsup", "unsupervised", "extra"),
}
DECORATION = r"(?:[\W_]*(?:set|split|images?|imgs?|pictures?|photos?|data|part|\d+))*[\W_]*"
PATTERNS = {role: re.compile(f"(?:{'|'.join(words)}){DECORATION}") for role, words in WORDS.items()}
OTHER = "other"  # the role of images outside of the folders of splits


class Layout(NamedTuple):
    """What the folders of a dataset mean.

    Attributes:
        roles: of each image: "train", "test", "validation", "unlabelled" or "other".
        tails: of each image: its folders that are no split, and its name.
        folders: role -> the folders of that role.
        explicit: the splits were given by the user.
    """

    roles: list[str]
    tails: list[list[str]]
    folders: dict[str, list[str]]
    explicit: bool = False


def role_of(name: str) -> str | None:
    """The split that a folder's name means: `train2017` and `training_set` are "train"; None for other names."""
    return next((role for role, pattern in PATTERNS.items() if pattern.fullmatch(name.lower())), None)


def layout(files: tuple[str, ...], splits: Any, name: str) -> Layout:
    """The roles of files by their folders.

    Args:
        files: relative paths.
        splits: "auto", "none", or role -> folder or list of folders; as text, "train=a+b,test=c".
        name: of the data, for errors.

    Raises:
        DataError: the splits are not of that form or name no folder of images, or there are test folders alone.
    """
    paths = [file.split(os.sep) for file in files]
    if splits == "none":
        return _unsplit(paths)
    if splits != "auto":
        return _chosen(paths, parse(splits))
    level = _wrapping(paths)
    for depth in (level, level + 1):
        roles = _roles({path[depth] for path in paths if len(path) > depth + 1})
        if _is_split(roles, paths, depth, nested=depth > level):
            return _by_level(paths, depth, roles)
    _refuse_tests_alone(_roles({path[level] for path in paths if len(path) > level + 1}), name)
    return _unsplit(paths)


def parse(splits: Any) -> dict[str, list[str]]:
    """Splits as role -> list of folders.

    Raises:
        DataError: they are not of that form.
    """
    if isinstance(splits, str) and "=" in splits:
        splits = dict(part.split("=", 1) for part in splits.split(",") if "=" in part)
        splits = {role.strip(): folders.split("+") for role, folders in splits.items()}
    if not isinstance(splits, dict) or not set(splits) <= set(WORDS) or "train" not in splits:
        raise DataError(
            f"splits={splits!r} is none of 'auto', 'none' and folders by name, such as 'train=FOLDER,test=FOLDER'; "
            f"the names are {', '.join(WORDS)}, and train is needed"
        )
    return {role: [folders] if isinstance(folders, str) else list(folders) for role, folders in splits.items()}


def _roles(names: set[str]) -> dict[str, str | None]:
    """Folder -> role; where no name is a split's, without the words that all names begin with (`cats_train`)."""
    roles = {name: role_of(name) for name in names}
    if len(names) < 2 or any(roles.values()):
        return roles
    common = re.match(r".*[\W_]|", os.path.commonprefix(sorted(names)))[0]
    return {name: role_of(name[len(common) :]) for name in names}


def _is_split(roles: dict[str, str | None], paths: list[list[str]], depth: int, nested: bool) -> bool:
    """A folder "train" next to "bus" and "bicycle" is a class; next to "test" it is a split."""
    found = set(roles.values())
    if nested:  # within each class: all of it has to be in splits
        return {"train"} < found <= set(WORDS) and all(len(path) > depth + 1 for path in paths)
    return "train" in found and (None not in found or bool(found & {"test", "validation"}))


def _wrapping(paths: list[list[str]]) -> int:
    """The number of folders that are around all images and are no split: an unpacked archive often has one."""
    level = 0
    while all(len(path) > level + 2 for path in paths) and len({path[level] for path in paths}) == 1:
        if role_of(paths[0][level]) == "train":
            break
        level += 1
    return level


def _by_level(paths: list[list[str]], depth: int, roles: dict[str, str | None]) -> Layout:
    inside = [len(path) > depth + 1 for path in paths]
    found = [(roles[path[depth]] or OTHER) if i else OTHER for path, i in zip(paths, inside, strict=True)]
    tails = [path[:depth] + path[depth + 1 :] if i else path for path, i in zip(paths, inside, strict=True)]
    folders = {role: sorted(name for name in roles if roles[name] == role) for role in WORDS}
    return Layout(found, tails, {role: names for role, names in folders.items() if names})


def _chosen(paths: list[list[str]], splits: dict[str, list[str]]) -> Layout:
    roles, tails = [OTHER] * len(paths), list(paths)
    for role, names in splits.items():
        for name in names:
            parts = [part for part in name.split(os.sep) if part not in ("", ".")]
            inside = [i for i, path in enumerate(paths) if path[: len(parts)] == parts and len(path) > len(parts)]
            if not inside:
                raise DataError(_no_such_folder(role, name, paths))
            for i in inside:
                roles[i], tails[i] = role, paths[i][len(parts) :]
    return Layout(roles, tails, splits, explicit=True)


def _unsplit(paths: list[list[str]]) -> Layout:
    return Layout(["train"] * len(paths), paths, {})


def _no_such_folder(role: str, name: str, paths: list[list[str]]) -> str:
    known = sorted({os.sep.join(path[:i]) for path in paths for i in range(1, min(len(path), 3))})
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0) or ["no folders"]
    return f"splits={role!r}: no images in a folder {name!r}; the nearest name is {nearest[0]!r}"


def _refuse_tests_alone(roles: dict[str, str | None], name: str) -> None:
    if len(set(roles.values())) < 2 or None in roles.values():
        return
    some = sorted(roles)
    raise DataError(
        f"the folders of {name} are called {' and '.join(some)}, as splits are, and none is for training: give "
        f"splits='train={some[0]},test={some[1]}', or splits='none' where the names are classes"
    )
