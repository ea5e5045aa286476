"""Knobs read from source, and the command lines made of them."""

import argparse

import pytest

from sslzoo import catalog, commands
from sslzoo.catalog import knobs
from sslzoo.catalog.kinds import KINDS
from sslzoo.catalog.knobs import Knob, convert
from sslzoo.catalog.parser import Parser

SOURCE = '''
"""What it is about."""

class Thing:
    """A thing.

    Args:
        first: needed
            over two lines.
        rate, power: of the thing.
        on: whether.
    """

    def __init__(self, first, rate: float = 0.5, power=2, *, on: bool = False, size: int | None = None, **rest):
        raise SystemExit("importing or calling is not reading")
'''


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "thing.py"
    path.write_text(SOURCE)
    return path


def test_knobs_are_read_from_source_with_defaults_types_and_docstring(source):
    found = knobs.read(source, "Thing")
    assert list(found) == ["first", "rate", "power", "on", "size"]
    assert found["first"].default is knobs.REQUIRED and found["first"].help == "needed over two lines."
    assert found["rate"] == Knob("rate", 0.5, "float", "of the thing.")
    assert found["power"].type == "int" and found["power"].help == "of the thing."
    assert found["size"].default is None
    assert knobs.summary(source) == "What it is about."


PASSING = '''
from somewhere.thing import machine

def tool(first, size: int = 3, **rest):
    """A tool.

    Args:
        size: of the tool.
        speed: of this tool.
    """
    return engine(first, 7, name="tool", **rest)

def engine(first, dim: int, name: str = "engine", size: int = 1, speed: float = 2.0, **more):
    """An engine.

    Args:
        speed: of the engine.
        size: of the engine.
    """
    return machine(first, **more)

def alone(first, **rest):
    return first.other(**rest), print(**first)
'''


def test_knobs_passed_on_by_keyword_are_those_of_the_function_that_takes_them(tmp_path):
    path = tmp_path / "tools.py"
    path.write_text(PASSING)
    (tmp_path / "thing.py").write_text("def machine(first, *, power: int = 5):\n    pass\n")
    found = knobs.read(path, "tool")
    assert list(found) == ["first", "size", "speed", "power"], "without what the call sets, its own first"
    assert found["size"].default == 3 and found["size"].help == "of the tool."
    assert found["speed"] == Knob("speed", 2.0, "float", "of this tool.")
    assert found["power"].default == 5, "an imported function is read in the file next to this one"
    assert list(knobs.read(path, "engine")) == ["first", "dim", "name", "size", "speed", "power"]
    assert list(knobs.read(path, "alone")) == ["first"]


@pytest.mark.parametrize(
    "words, expected",
    [
        (["--rate", "0.1", "--size", "7"], {"rate": 0.1, "size": 7}),
        (["--on"], {"on": True}),
        (["--on", "False"], {"on": False}),
        (["--on=true", "--size", "none"], {"on": True, "size": None}),
    ],
)
def test_words_become_values_of_the_annotated_type(source, words, expected):
    parser = Parser(prog="thing")
    for knob in knobs.read(source, "Thing").values():
        parser.add(knob)
    assert vars(parser.parse_args(["--first", "x", *words])) == {"first": "x"} | expected


@pytest.mark.parametrize(
    "words, said",
    [
        (["--rat", "1"], "no option '--rat': did you mean --rate"),
        (["--rate", "fast"], "'fast' is not a number"),
        (["--power", "1.5"], "'1.5' is not a whole number"),
        (["--on", "maybe"], "'maybe' is neither true nor false"),
        (["stray"], "unexpected word 'stray'"),
    ],
)
def test_bad_words_are_one_line_and_status_2(source, capsys, words, said):
    parser = Parser(prog="thing")
    for knob in knobs.read(source, "Thing").values():
        parser.add(knob)
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(["--first", "x", *words])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and said in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "error, status", [(ValueError("bad value"), 2), (FileNotFoundError("no file"), 1), (KeyboardInterrupt(), 130)]
)
def test_faults_end_in_one_line_and_a_status(capsys, error, status):
    def act():
        raise error

    with pytest.raises(SystemExit) as stop:
        commands.run(act)
    assert stop.value.code == status
    assert capsys.readouterr().err == f"sslzoo: {str(error) or 'interrupted'}\n"


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        commands.run(lambda: 1 / 0)


def test_a_knob_means_one_thing_throughout_the_zoo():
    """Knobs of pretraining, methods, encoders and views share one command line."""
    everything = [catalog.experiment_knobs() | catalog.run_knobs()]
    everything += [knobs.read(path, catalog.class_name(path)) for path in catalog.methods().values()]
    for kind in KINDS:
        parts = [*catalog.encoders(kind).items(), *catalog.presets(kind).items()]
        everything += [knobs.read(path, name) for name, path in parts]
    types = {}
    for part in everything:
        for name, knob in part.items():
            if name not in catalog.GIVEN:
                assert types.setdefault(name, knob.type) == knob.type, name
    pretraining = set(everything[0])
    for part in everything[1:]:
        assert not pretraining & (set(part) - catalog.GIVEN)


def test_every_knob_has_help():
    everything = {"pretrain": catalog.experiment_knobs() | catalog.run_knobs()}
    everything |= {name: catalog.method_knobs(name) for name in catalog.methods()}
    everything |= {name: catalog.encoder_knobs(name) for name in catalog.every_encoder()}
    everything |= {(kind, name): catalog.preset_knobs(name, kind) for kind in KINDS for name in catalog.presets(kind)}
    assert [(part, name) for part, found in everything.items() for name, knob in found.items() if not knob.help] == []


def test_a_dataclass_has_the_knobs_of_its_fields_and_attributes_document_them(tmp_path):
    source = '''
@dataclass
class Thing:
    """A thing.

    Attributes:
        size: its size.
        parts: its parts.
    """

    size: int = 3
    parts: dict = field(default_factory=dict)
'''
    (tmp_path / "thing.py").write_text(source)
    found = knobs.read(tmp_path / "thing.py", "Thing")
    assert found == {"size": Knob("size", 3, "int", "its size."), "parts": Knob("parts", {}, "dict", "its parts.")}


def test_source_and_memory_give_the_same_knobs():
    from sslzoo.methods import find

    for name, path in catalog.methods().items():
        source, memory = knobs.read(path, catalog.class_name(path)), knobs.inspected(find(name))
        assert {n: (k.default, k.type) for n, k in source.items()} == {
            n: (k.default, k.type) for n, k in memory.items()
        }


@pytest.mark.parametrize(
    "message, said",
    [
        ("overwrite=True replaces it", "--overwrite replaces it"),
        ("try batch_size=128", "try --batch-size 128"),
        ("evaluate=False skips it", "--evaluate false skips it"),
        ("give another name=...", "give another --name"),
        ("lower learning_rate", "lower --learning-rate"),
        ("objective='rank' needs none", "--objective rank needs none"),
        ("no folder /data/batch_size/x", "no folder /data/batch_size/x"),
        ("did you mean batch_size?", "did you mean --batch-size?"),
        ("an unknown=3", "an unknown=3"),
    ],
)
def test_messages_name_options_on_the_command_line(message, said):
    parser = Parser()
    for name in ("overwrite", "batch_size", "evaluate", "name", "learning_rate", "objective"):
        parser.add(Knob(name, None, "str", ""))
    assert commands.as_options(message) == said


def test_a_list_is_numbers_with_commas_between():
    knob = Knob("sizes", (1, 2), "tuple[int, ...]", "")
    assert convert(knob, "128, 32,8") == (128, 32, 8)
    with pytest.raises(argparse.ArgumentTypeError, match="'x' is not a whole number"):
        convert(knob, "128,x")
