"""Misuse of commands, generated from their options: one line that names the option, and a nonzero exit status.

The suite runs a part; `pytest -m slow tests/test_misuse_commands.py` runs all.
"""

from pathlib import Path

import pytest

from sslzoo import catalog
from sslzoo.__main__ import main
from sslzoo.catalog import knobs

PART = 6  # every sixth case is in the suite
MODEL = str(Path(__file__).parents[1] / "exported_models/simclr_fashion_mnist")
WRONG = {
    "int": ("-1", "nan", "x", "1.5"),
    "float": ("-1", "nan", "inf", "x"),
    "bool": ("maybe", "2"),
    "str": ("no such thing", ""),
    "tuple": ("x", "-1", ""),
}
COMMANDS = {
    "evaluate": ("evaluation.judging:evaluate", [MODEL, "--data", "digits"]),
    "evaluate --all": ("reports:report", [MODEL, "--data", "digits"]),
    "compare": ("evaluation.comparison:compare", [MODEL, MODEL, "--data", "digits"]),
    "embed": ("evaluation.embedding:embed", [MODEL, "--data", "digits", "--out", "x.npz"]),
    "export": ("exports.formats:export", [MODEL, "--format", "keras"]),
    "record": ("data.recording:record", ["CartPole-v1", "--out", "x"]),
    "pack": ("data.packing:pack", ["digits", "packed"]),
    "serve-data": ("data.service:serve_data", ["digits"]),
    "tune": ("tuning.search:tune", ["simclr_digits"]),
    "index": ("evaluation.indexing:build_index", [MODEL, "--data", "digits"]),
    "doctor": ("testing.doctor:doctor", []),
}
# Texts of which any may be meant, and objects.
FREE = {
    "out",
    "environment",
    "tensorboard",
    "runs",
    "export_to",
    "name",
    "cache",
    "untrained",
    "encoder",
    "encoders",
    "recipe",
    "methods",
}


def cases():
    for command, (function, base) in COMMANDS.items():
        module, name = function.split(":")
        file = catalog.ROOT / module.replace(".", "/")
        path = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        for knob in knobs.read(path, name).values():
            option = f"--{knob.name.replace('_', '-')}"
            if knob.name in FREE or knob.name == "data" and option not in base:
                continue
            kinds = [kind for kind in WRONG if kind in knob.type.replace("|", " ").split()]
            kinds += ["tuple"] * knob.type.startswith("tuple")
            yield from ((command, option, [*base, f"{option}={value}"]) for kind in kinds for value in WRONG[kind])
        yield command, "--no-such-option", [*base, "--no-such-option", "1"]


def places():
    """Commands with a file, a folder or a name that does not exist, or without one."""
    missing = ["index", "search", "duplicates", "calibrate", "anomaly", "select"]
    yield from ((command, "", []) for command in missing)
    yield from ((command, "nowhere", ["nowhere"]) for command in missing[2:5])
    missing = ["evaluate", "embed", "export", "import", "pack", "record", "tune", "serve-data", "views", "compare"]
    yield from ((command, "", []) for command in missing)
    data, out = ["--data", "digits"], ["--out", "o"]
    yield from (("evaluate", "nowhere", ["nowhere", *data]), ("embed", "nowhere", ["nowhere", *data, "--out", "o.npz"]))
    yield from (("export", "nowhere", ["nowhere", "--format", "keras"]), ("pack", "nowhere", ["nowhere", "p"]))
    yield from (
        ("tune", "nowhere", ["nowhere"]),
        ("serve-data", "nowhere", ["nowhere"]),
        ("views", "nowhere", ["nowhere"]),
    )
    yield from (("train", "nowhere", ["nowhere"]), ("nowhere", "nowhere", []), ("compare", "two", [MODEL, *data]))
    yield "import", "nowhere", ["nowhere.safetensors", "--encoder", "resnet18", *out]


OPTIONS = list(cases())


def refusal(command, words, capsys):
    """The last line on stderr of a command that ends with a nonzero status, and no traceback."""
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), *words])
    shown = capsys.readouterr().err
    assert ended.value.code in (1, 2) and "Traceback" not in shown, (ended.value.code, shown)
    return shown.strip().split("\n")[-1]


def says(line, option):
    """Whether a line names an option, as `--max-images` or in words."""
    plain = option.removeprefix("--").replace("-", " ").split()
    return any(word.rstrip("s") in line for word in plain)


@pytest.mark.parametrize("command, option, words", OPTIONS[::PART])
def test_wrong_options_are_refused_in_one_line(command, option, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    line = refusal(command, words, capsys)
    assert says(line, option), line
    assert not list(tmp_path.iterdir()), "nothing is left behind"


@pytest.mark.parametrize("command, name, words", list(places()))
def test_what_does_not_exist_is_named(command, name, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert name in refusal(command, words, capsys)
    assert not list(tmp_path.iterdir()), "nothing is left behind"


@pytest.mark.slow
def test_all_wrong_options_are_refused_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    bad = []
    for command, option, words in OPTIONS:
        try:
            line = refusal(command, words, capsys)
            bad += [] if says(line, option) else [(command, words, line)]
        except Exception as error:  # the others shall be tried too
            bad.append((command, words, f"{type(error).__name__}: {error}"))
    assert not bad, f"{len(bad)} of {len(OPTIONS)}: {bad[:20]}"
