"""`sslzoo runs`: lists, best, show, diff, tags and page of run folders, also of damaged ones."""

import fcntl
import json
import math
import os
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from sslzoo.__main__ import main
from sslzoo.catalog.runs import details, listing, page
from sslzoo.catalog.runs.curves import _ticks, panel
from sslzoo.catalog.runs.search import find, named

ACTIONS = ("best", "show", "diff", "tag", "export", "page")


def settings(**changes):
    known = {"method": "simclr", "data": "digits, fingerprint 12", "encoder": "mlp", "epochs": 2, "seed": 0}
    known |= {"preset": "digits", "method.temperature": 0.5, "views.strength": 1.0, "given": ["epochs", "temperature"]}
    return known | changes


def rows(knn, before=0.5, raw=0.6):
    columns = {"trained": knn, "untrained": before, "raw pixels": raw}
    keys = ("linear_0.1", "linear_1", "knn")
    return [
        {"key": key, "metric": key, "features": name, "mean": mean} for key in keys for name, mean in columns.items()
    ]


def metrics(epochs, loss=5.0, knn=0.5):
    lines = [
        {
            "epoch": n,
            "step": 10 * n,
            "time": 1.8e9 + n,
            "loss": loss - n,
            "knn": knn + n / 100,
            "images_per_second": 9.0,
        }
        for n in range(epochs + 1)
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def make(folder, epochs=2, result=None, **changes):
    """A run folder as a training leaves it."""
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    (folder / "settings.json").write_text(json.dumps(settings(**changes)))
    (folder / "metrics.jsonl").write_text(metrics(epochs))
    if result is not None:
        arguments = {"method": "simclr", "data": "digits", "epochs": 2, "widths": [3, 4], "flip": True, "kind": None}
        arguments |= {"name": folder.name, "runs": "runs", "export_to": "exported_models"}
        known = {"state": "finished", "began": 1.8e9, "epochs": 2, "arguments": arguments, "objects": []}
        (folder / "result.json").write_text(json.dumps(known | result))
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with finished, failed, interrupted and damaged runs, a search and a link."""
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    make(runs / "good", result={"verdict": "learning: k-NN 90 %", "scores": rows(0.9), "began": 1.8e9 + 5})
    make(runs / "poor", result={"verdict": "worse than the untrained encoder: k-NN 40 %", "scores": rows(0.4)}, seed=1)
    make(runs / "broke", epochs=1, result={"state": "failed", "error": "the loss is nan"}, method="moco")
    make(runs / "stopped", epochs=1, result={"state": "interrupted"}, data="stamps, fingerprint 3")
    make(runs / "killed", epochs=1, result={"state": "running"})
    make(runs / "search" / "trial-000")
    (runs / "search" / "settings.json").write_text('{"recipe": "simclr_digits"}')
    (runs / "search" / "last").symlink_to("trial-000")
    (runs / "cut").mkdir()
    (runs / "cut" / "settings.json").write_text('{"method": "sim')
    (runs / "half" / "checkpoints").mkdir(parents=True)
    (runs / "half" / "lock").touch()
    (runs / "empty").mkdir()
    (runs / "list").mkdir()
    (runs / "list" / "settings.json").write_text("[1]")
    (runs / "good" / "views.png").touch()
    (runs / "plain").mkdir()
    (runs / "plain" / "notes.txt").touch()
    return tmp_path


def said(capsys, *words, status=0):
    try:
        main(["runs", *map(str, words)])
        code = 0
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert code == status, (out, err)
    return err if status else out


def states(folder="runs"):
    return {record.name: record.state for record in find(folder)}


def test_states_and_reasons_of_all_folders(place):
    assert states() == {
        "good": "finished", "poor": "finished", "broke": "failed", "stopped": "interrupted", "killed": "interrupted",
        "search/trial-000": "finished", "cut": "broken", "half": "broken", "empty": "broken", "list": "broken",
    }  # fmt: skip
    reasons = {record.name: record.verdict for record in find("runs") if record.state == "broken"}
    assert reasons == {
        "cut": "settings.json is no JSON, or cut short",
        "half": "settings.json is missing",
        "empty": "the folder is empty",
        "list": "settings.json holds no dict",
    }
    assert named("broke", "runs").verdict == "the loss is nan"


def test_exports_and_folders_of_others_are_no_runs(place):
    known = {f"runs/{name}": state for name, state in states().items()}
    exported = place / "exported_models" / "good"
    for path in (exported / "assets", place / "other" / "checkpoints", place / "other" / "deep" / "empty"):
        path.mkdir(parents=True)
    for name in ("recipe.json", "metrics.jsonl"):
        (exported / name).touch()
    assert states(".") == {name: state for name, state in known.items() if name != "runs/empty"}


def test_a_run_of_an_earlier_version_that_lacks_epochs_was_interrupted(place):
    make(place / "runs" / "old", epochs=1)
    assert states()["old"] == "interrupted" and states()["search/trial-000"] == "finished"


def test_a_run_whose_lock_is_held_is_running(place):
    with open("runs/killed/lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code = "from sslzoo.catalog.runs.search import named; print(named('killed', 'runs').state)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "running\n"
    assert states()["killed"] == "interrupted"


def test_the_table_has_figures_next_to_their_baselines(place, capsys):
    lines = said(capsys).splitlines()
    good = next(line for line in lines if line.startswith("good"))
    assert "90.0 (50.0, 60.0)" in good and "50.0 to 52.0" in good and "2/2" in good and "learning" in good
    assert len(lines) == 11 and lines[0].startswith("run") and "k-NN % (before, raw)" in lines[0]
    assert "settings.json is missing" in next(line for line in lines if line.startswith("half"))


@pytest.mark.parametrize(
    "words, names",
    [
        (["--method", "moco"], ["broke"]),
        (["--method", "mo*,simclr", "--data", "stamps"], ["stopped"]),
        (["--state", "failed,interrupted", "--sort", "name"], ["broke", "killed", "stopped"]),
        (["--sort", "knn", "--state", "finished"], ["good", "poor", "search/trial-000"]),
        (["--sort", "loss", "--data", "digits"], ["good", "poor", "search/trial-000", "broke", "killed"]),
        (["--state", "finished"], ["good", "poor", "search/trial-000"]),
    ],
)
def test_filters_and_sorting(place, capsys, words, names):
    found = [line.split()[0] for line in said(capsys, *words).splitlines()[1:]]
    assert found == names


def test_the_newest_run_is_first(place):
    (place / "runs" / "search" / "trial-000" / "metrics.jsonl").unlink()  # the time of its settings counts
    os.utime(place / "runs" / "search" / "trial-000" / "settings.json", (1.9e9, 1.9e9))
    found = [record.name for record in listing.select(data=("digits",))]
    assert found == ["search/trial-000", "good", "broke", "killed", "poor"]


def test_json_is_the_same_listing(place, capsys):
    found = {one["name"]: one for one in json.loads(said(capsys, "--json"))}
    assert found.keys() == states().keys()
    assert found["good"]["scores"]["knn"] == {"trained": 0.9, "before": 0.5, "raw pixels": 0.6}
    assert found["good"]["settings"] == settings() and found["good"]["figures"]["online_knn"] == 0.52
    assert json.loads(said(capsys, "show", "good", "--json"))["name"] == "good"


def test_best_is_of_each_data_set_and_losses_of_each_method(place, capsys):
    assert [record.name for record in listing.best(find("runs"), "knn")[1]] == ["good"]
    make(place / "runs" / "other", result={"scores": rows(0.7)}, data="stamps, fingerprint 3")
    assert {record.name for record in listing.best(find("runs"), "linear")[1]} == {"good", "other"}
    assert [record.name for record in listing.best(find("runs"), "loss")[1]] == ["good", "other", "broke"]
    out = said(capsys, "best", "--by", "linear")
    assert "90.0 (50.0, 60.0)" in out and "poor" not in out
    assert "did you mean knn" in said(capsys, "best", "--by", "kn", status=2)


def test_show_says_what_differs_and_how_to_continue(place, capsys):
    out = said(capsys, "show", "stopped")
    assert "1 of 2 epochs" in out and "method.temperature: 0.5" in out and "views.strength" not in out
    resume = next(line for line in out.splitlines() if "resume:" in line)
    assert "sslzoo train simclr --data digits --epochs 2 --widths 3,4 --flip true --kind none" in resume
    assert resume.endswith("--name stopped --resume")
    assert "--extend --epochs 4" in said(capsys, "show", "good")
    assert "the run cannot be read" in said(capsys, "show", "cut")
    assert "the loss is nan" in said(capsys, "show", "runs/broke")


def test_show_names_the_export_and_the_ancestry(place, capsys):
    exported = place / "exported_models" / "good"
    exported.mkdir(parents=True)
    (exported / "recipe.json").write_text("{}")
    known = json.loads((place / "runs/good/result.json").read_text())
    start = {"name": "b", "method": "byol", "checksum": "2", "ancestry": {"name": "c", "method": "moco", "checksum": 3}}
    known |= {"exported": "exported_models/good", "ancestry": start}
    (place / "runs/good/result.json").write_text(json.dumps(known))
    out = said(capsys, "show", "good")
    assert "sslzoo evaluate exported_models/good --data digits" in out
    assert "sslzoo export exported_models/good --format keras" in out
    assert "b (byol, 2), which started from c (moco, 3)" in out


def test_a_run_of_an_earlier_version_has_the_verdict_of_its_export(place):
    make(place / "runs" / "old")
    exported = place / "exported_models" / "old"
    exported.mkdir(parents=True)
    facts = {"verdict": "learning: yes", "scores": rows(0.8), "knobs": settings()}
    (exported / "recipe.json").write_text(json.dumps(facts))
    old = named("old", "runs")
    assert old.verdict == "learning: yes" and old.main["knn"]["trained"] == 0.8
    assert details.exported(old).resolve() == exported
    (exported / "recipe.json").write_text(json.dumps(facts | {"knobs": settings(seed=3)}))
    assert named("old", "runs").verdict == "", "the export of another run"


def test_diff_is_what_differs_alone(place, capsys):
    out = said(capsys, "diff", "good", "poor")
    table = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert table["seed"] == ["0", "1"] and table["knn"] == ["90.0", "%", "40.0", "%"]
    assert "method.temperature" not in out and "loss" not in out
    assert "no setting differs" in said(capsys, "diff", "good", "killed")


def test_tags_are_added_found_and_removed(place, capsys):
    assert said(capsys, "tag", "good", "paper", "first try") == "good: paper, first try\n"
    said(capsys, "tag", "poor", "paper")
    assert {r.name for r in listing.select(tag=("paper",))} == {"good", "poor"}
    assert [r.name for r in listing.select(tag=("paper", "first*"))] == ["good"]
    assert "paper, first try" in said(capsys)
    assert said(capsys, "tag", "good", "--remove", "paper") == "good: first try\n"
    assert said(capsys, "tag", "good", "first try", "--remove") == "good: no tags\n"
    assert "has no tag 'paper'" in said(capsys, "tag", "good", "paper", "--remove", status=2)
    (place / "runs/good/tags.json").write_text("{")
    assert "tags.json is no JSON" in said(capsys, "show", "good") and states()["good"] == "finished"


class Page(HTMLParser):
    """Counts the tags of a page and collects the curves of each panel."""

    VOID = {"meta", "link", "input", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.curves, self.links, self.title, self.cells = [], {}, [], None, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.links += [value for name, value in attrs.items() if name in ("src", "href")]
        if tag == "g":
            self.number = int(attrs["data-run"])
        if tag == "path":
            self.curves.setdefault(self.title, {})[self.number] = attrs["d"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "figcaption":
            self.title = data
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


def test_the_page_holds_each_curve_and_needs_no_network(place, capsys):
    folder = make(place / "runs" / "<b>&", method="moco")
    (folder / "metrics.jsonl").write_text(metrics(40) + '{"epoch": 41, "loss": NaN, "knn"')
    assert said(capsys, "page", "--sort", "name") == "wrote runs.html\n"
    text = (place / "runs.html").read_text()
    read = Page(text)
    assert read.open == [] and set(read.links) == {"data:,"} and "<b>&" not in text
    records = listing.select(sort="name")
    expected = {}
    for number, record in enumerate(records):
        for name in ("loss", "knn", "images_per_second") if record.history else ():
            title = f"loss, {record.method}" if name == "loss" else page.TITLES.get(name, page.TITLES["online_knn"])
            expected.setdefault(title, {})[number] = len(record.history)
    found = {title: {n: path.count("L") + 1 for n, path in curves.items()} for title, curves in read.curves.items()}
    assert found == expected
    assert {record.name for record in records} <= set(read.cells)
    assert text.count('type="checkbox"') == len(records)
    said(capsys, "page", "good", "poor", "--out", "two.html")
    assert set(Page((place / "two.html").read_text()).curves["loss"]) == {0, 1}


def test_a_page_replaces_pages_alone(place, capsys):
    said(capsys, "page")
    said(capsys, "page")
    (place / "mine.html").write_text("<p>mine</p>")
    assert "is no page of runs" in said(capsys, "page", "--out", "mine.html", status=2)
    assert (place / "mine.html").read_text() == "<p>mine</p>"


@pytest.mark.parametrize("values", [[0, 1], [3, 3], [-2e-5, 7e-5], [1e6, 1.2e6], [0], [-3, -1]])
def test_ticks_are_round_span_the_values_and_are_few(values):
    ticks = _ticks(values)
    assert 2 <= len(ticks) <= 9 and ticks == sorted(set(ticks))
    assert ticks[0] <= min(values) and (ticks[-1] >= max(values))


def test_a_curve_is_where_its_values_are():
    drawn = panel("loss", {0: ("a", [(0, 0.0), (10, 1.0)])})
    assert drawn.count("<circle") == 2
    path = drawn.split('<path d="')[1].split('"')[0]
    assert path == "M58.0 214.0 L470.0 12.0"


@pytest.mark.parametrize("action", ["", *ACTIONS])
def test_help_of_each_command(place, capsys, action):
    out = said(capsys, *([action] if action else []), "--help", status=0)
    assert f"sslzoo runs {action}".strip() in out and "--help" in out
    if not action:
        assert all(f"sslzoo runs {name}" in out for name in ACTIONS)


@pytest.mark.parametrize(
    "words, text",
    [
        (["nowhere"], "no folder nowhere"),
        (["--method", "simclir"], "no run of method 'simclir': did you mean simclr"),
        (["--data", "digit"], "did you mean digits"),
        (["--state", "done"], "no run of state 'done'"),
        (["--sort", "los"], "did you mean loss"),
        (["--sor", "loss"], "did you mean --sort"),
        (["show"], "RUN"),
        (["show", "god"], "no run in runs 'god': did you mean good"),
        (["show", ""], "no run in runs ''"),
        (["show", "plain"], "no run in runs 'plain'"),
        (["diff", "good"], "RUN"),
        (["diff", "good", "pooor"], "did you mean poor"),
        (["tag", "good"], "NAME"),
        (["tag", "good", "a,b"], "'a,b' is no tag"),
        (["page", "god"], "did you mean good"),
        (["page", "--out", "runs"], "runs is no page of runs"),
        (["best", "--by", "speed"], "no figure by 'speed'"),
    ],
)
def test_bad_input_is_one_line(place, capsys, words, text):
    line = said(capsys, *words, status=2)
    assert text in line and line.count("\n") == 1


ODD = (None, [], {}, "x", "a\0b", math.inf, -1, 1e308, True, [{"key": "linear_x", "features": "trained", "mean": 0.5}])


@pytest.mark.parametrize("file", ["settings.json", "result.json", "metrics.jsonl", "tags.json"])
def test_no_content_of_a_file_ends_a_command(tmp_path, file):
    make(tmp_path / "other", result={"scores": rows(0.4)})
    folder = make(tmp_path / "odd", result={"scores": rows(0.4), "verdict": "learning: x", "command": "sslzoo train x"})
    first = (folder / file).read_text().splitlines()[0] if file == "metrics.jsonl" else "{}"
    whole = json.loads((folder / file).read_text() if file in ("settings.json", "result.json") else first)
    contents = [json.dumps(whole | {key: value}) for key in whole for value in ODD]
    for content in [*contents, *map(json.dumps, ODD), "", "\0", '{"epoch"', "\udcff"]:
        (folder / file).write_text(content, "utf-8", "surrogateescape")
        records = find(tmp_path)
        odd = next((record for record in records if record.name == "odd"), None)
        assert listing.table(records) and page.as_html(records, "runs")
        assert listing.best(records, "knn")[0] and listing.best(records, "loss")[0]
        if odd:
            assert details.show(odd) and details.differences(odd, records[-1])
            json.loads(json.dumps(odd.as_dict()))


def test_a_folder_without_runs_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    for words in ([], ["best"], ["page"]):
        out = said(capsys, *words)
        assert out.startswith("no runs in runs: `sslzoo train") and out.count("\n") == 1
    assert said(capsys, "--json") == "[]\n"
    assert "the folder runs holds none" in said(capsys, "show", "x", status=2)
    assert not (tmp_path / "runs.html").exists()


def test_letters_that_a_terminal_acts_on_are_not_printed(place, capsys):
    make(place / "runs" / "evil", result={"verdict": "a\x1b[31mred\n\nline: x"}, data="d\x07, fingerprint 1")
    assert "\x1b" not in said(capsys) + said(capsys, "show", "evil") + said(capsys, "diff", "evil", "good")


def test_a_hundred_runs_are_listed_in_a_second_without_tensorflow(tmp_path):
    for number in range(100):
        folder = make(tmp_path / "runs" / f"run-{number:03}", result={"scores": rows(0.5)})
        (folder / "metrics.jsonl").write_text(metrics(1000))
    code = "import sys, sslzoo.__main__ as m; m.main(['runs'])"
    code += "; print('loaded', {'tensorflow', 'keras'} & set(sys.modules))"
    began = os.times().children_user
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count("run-") == 100 and done.stdout.endswith("loaded set()\n")
    assert os.times().children_user - began < 1.0
