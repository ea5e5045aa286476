"""The cache folder of this user."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder: SSLZOO_CACHE, or else sslzoo in XDG_CACHE_HOME, or else ~/.cache/sslzoo."""
    above = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SSLZOO_CACHE") or Path(above) / "sslzoo")
