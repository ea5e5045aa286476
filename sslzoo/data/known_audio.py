"""Sets of sounds of Debian packages: where they are, and the class and the group of each file."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

DRUMS = (  # class -> pattern of the file's name in lower case; the first that fits
    ("clap", r"clap"),
    ("snare", r"snare|sn\d|rim"),
    ("kick", r"kick|bass ?drum|(^|_)bd"),
    ("hihat", r"hi_?hat|hat|(^|_)hh|hard_[co]hh"),
    ("crash", r"crash"),
    ("ride", r"ride"),
    ("tom", r"tom|(^|_)tm\d?_"),
    ("perc", r"perc|cowbell|conga|bongo|clave|shaker|tamb|cabasa|maraca|agogo|wood"),
)


class KnownSet(NamedTuple):
    """A set of sounds.

    Attributes:
        folder: where the package puts it.
        package: of Debian.
        told: file, relative to the folder -> its class, or None for a clip without a label, and its group.
        test: groups of the test part.
    """

    folder: Path
    package: str
    told: Callable[[str], tuple[str | None, str]]
    test: tuple[str, ...]


def drum(file: str) -> tuple[str | None, str]:
    """The drum that the name of a file says, None if it says none, and the drum kit."""
    name = Path(file).stem.lower()
    return next((drum for drum, pattern in DRUMS if re.search(pattern, name)), None), Path(file).parts[0]


# Kits of four makers, which together have all classes; three of the other kits share a maker, and perhaps samples.
KITS = ("Audiophob", "ColomboAcousticDrumkit", "ElectricEmpireKit", "ForzeeStereo")
KNOWN = {"drum_kits": KnownSet(Path("/usr/share/hydrogen/data/drumkits"), "hydrogen-drumkits", drum, KITS)}
