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


VOICES = {  # folder of Asterisk's prompts -> language; one voice speaks English and Spanish
    "en_US_f_Allison": "English",
    "es_MX_f_Allison": "Spanish",
    "fr_CA_f_June": "French",
    "it_IT_m_Carlo": "Italian",
    "ru_RU_f_IvrvoiceRU": "Russian",
}
NO_SPEECH = r"silence/|(.*/)?(beep|ascending-2tone|descending-2tone|tt-monkeys\.)"


class KnownSet(NamedTuple):
    """A set of sounds.

    Attributes:
        folder: where the packages put it.
        packages: of Debian.
        told: file, relative to the folder -> its class, or None for a clip without a label, and its group; None for a
            file that is not in the set.
        test: groups of the test part; a fifth of the groups if None.
        folders: those in `folder` that the packages bring.
    """

    folder: Path
    packages: str
    told: Callable[[str], tuple[str | None, str] | None]
    test: tuple[str, ...] | None = None
    folders: tuple[str, ...] = ()

    def installed(self) -> bool:
        return all((self.folder / name).is_dir() for name in (".", *self.folders))


def drum(file: str) -> tuple[str | None, str]:
    """The drum that the name of a file says, None if it says none, and the drum kit."""
    name = Path(file).stem.lower()
    return next((drum for drum, pattern in DRUMS if re.search(pattern, name)), None), Path(file).parts[0]


def prompt(file: str) -> tuple[str, str] | None:
    """The language of a prompt of Asterisk and, as its group, the prompt, which is the same in all languages."""
    voice, _, name = Path(file).with_suffix("").as_posix().partition("/")
    return None if voice not in VOICES or re.match(NO_SPEECH, f"{name}.") else (VOICES[voice], name)


# Kits of four makers, which together have all classes; three of the other kits share a maker, and perhaps samples.
KITS = ("Audiophob", "ColomboAcousticDrumkit", "ElectricEmpireKit", "ForzeeStereo")
KNOWN = {
    "drum_kits": KnownSet(Path("/usr/share/hydrogen/data/drumkits"), "hydrogen-drumkits", drum, KITS),
    "prompts": KnownSet(
        Path("/usr/share/asterisk/sounds"),
        "asterisk-core-sounds-en-wav, -es-wav, -fr-wav, -it-wav and -ru-wav",
        prompt,
        folders=tuple(VOICES),
    ),
}
