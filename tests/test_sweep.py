"""Sweeps, their plots and projections, and the two recipes of the founding experiments."""

import csv
import re

import numpy as np
import pytest
from PIL import Image

from sslzoo import catalog
from sslzoo.catalog import recipe as recipes
from sslzoo.evaluators.projection import pca, tsne
from sslzoo.evaluators.softmax import trained_probe
from sslzoo.tuning import sweep
from sslzoo.utils import plots

RNG = np.random.default_rng(0)


def recipe(name, **changes):
    """The function of a recipe, with some of its module's constants replaced."""
    function = recipes.load(catalog.recipes()[name])
    function.__globals__.update(changes)
    return function


def test_a_sweep_goes_on_where_it_was_stopped(tmp_path):
    called = []

    def measure(knobs, name, resume):
        called.append((knobs["alpha"], resume))
        (tmp_path / "s" / name).mkdir(exist_ok=True)
        if len(called) == 3:
            raise KeyboardInterrupt
        return {"score": knobs["alpha"] / 2}

    def run(**places):
        with sweep.Sweep("s", {"epochs": 1}, str(tmp_path), **{"resume": False, "overwrite": False} | places) as one:
            for alpha in (1, 2, 3, 4):
                one.run({"alpha": alpha}, measure)

    with pytest.raises(KeyboardInterrupt):
        run()
    with pytest.raises(ValueError, match="resume=True continues"):
        run()
    run(resume=True)
    assert called == [(1, False), (2, False), (3, False), (3, True), (4, False)]
    with open(tmp_path / "s" / "results.csv", encoding="utf-8") as file:
        assert [(row["alpha"], row["score"]) for row in csv.DictReader(file)] == [
            ("1", "0.5"),
            ("2", "1.0"),
            ("3", "1.5"),
            ("4", "2.0"),
        ]
    with pytest.raises(ValueError, match="epochs was 1, is 2"), sweep.Sweep("s", {"epochs": 2}, tmp_path, True, False):
        pass


def test_means_are_over_the_runs_of_a_setting():
    rows = [dict(alpha=1, score=0.2), dict(alpha=1, score=0.4), dict(alpha=2, score=None)]
    assert list(sweep.means(rows, ("alpha",), ("score",))) == [((1,), ["0.300 +- 0.141"]), ((2,), ["-"])]


def lines(**settings):
    return [{"size": size, "ari": value} for size, values in settings.items() for value in values]


@pytest.mark.parametrize(
    "rows, baselines, said",
    [
        (lines(a=[0.5, 0.6], b=[0.1, 0.2]), {}, "2 seeds of each size: too few to tell an effect from chance"),
        (lines(a=[0.50, 0.51, 0.52], b=[0.30, 0.31, 0.32]), {}, "best at size a .*, measurably better than size b$"),
        (lines(a=[0.5, 0.6, 0.4], b=[0.49, 0.58, 0.42]), {}, "no difference exceeds the spread over 3 seeds"),
        (lines(a=[0.50, 0.51, 0.52], b=[0.3] * 3), {"raw": [0.51]}, "than size b; not measurably better than raw$"),
        (lines(a=[0.5, 0.6, 0.4], b=[0.4, 0.3, 0.5]), {"raw": [0.9]}, "no difference exceeds the spread"),
        (lines(a=[0.5] * 3, b=[0.5] * 3), {}, "no difference exceeds the spread"),
    ],
)
def test_an_effect_is_stated_only_where_it_exceeds_the_spread_over_three_seeds(rows, baselines, said):
    assert re.search(said, sweep.effect(rows, "size", "ari", baselines))


def test_where_lower_is_better_the_lowest_setting_is_best():
    rows = lines(a=[0.50, 0.51, 0.52], b=[0.30, 0.31, 0.32])
    assert "best at size b" in sweep.effect(rows, "size", "ari", {}, higher=False)
    assert "measurably better than size a" in sweep.effect(rows, "size", "ari", {}, higher=False)


def test_the_command_of_a_recipe_names_what_is_not_at_its_default():
    def some_recipe(sizes: tuple[int, ...] = (1, 2), data: str = "digits", seeds: int = 1):
        pass

    given = {"sizes": (8, 16), "data": "my folder", "seeds": 1}
    assert sweep.command(some_recipe, given) == "python recipes/some_recipe.py --sizes 8,16 --data 'my folder'"


def test_plots_have_axes_every_run_and_the_command(monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "save", lambda figure, path, command: drawn.append((figure, command)))
    runs = {"accuracy": {"trained": [(0.1, 0.5), (0.1, 0.7), (1.0, 0.8)]}}
    plots.curves(runs, "alpha", "p.png", "python x.py", log=True, lines={"accuracy": {"raw pixels": 0.4}})
    figure, command = drawn[0]
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale(), command) == (
        "alpha",
        "accuracy",
        "log",
        "python x.py",
    )
    assert axes.collections[0].get_offsets().tolist() == [[0.1, 0.5], [0.1, 0.7], [1.0, 0.8]]
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[0.1, 0.6], [1.0, 0.8]])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["trained", "raw pixels"]


def test_a_saved_plot_is_a_png_with_the_command_under_it(tmp_path):
    plots.scatter(RNG.normal(size=(9, 2)), np.arange(9) % 3, None, ("a", "b"), "t", tmp_path / "p.png", "python x.py")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]


def test_pca_is_the_singular_value_decomposition():
    features = RNG.normal(size=(40, 6)).astype("float32") @ RNG.normal(size=(6, 6)).astype("float32")
    values = np.linalg.svd(features - features.mean(0), compute_uv=False) ** 2
    found = pca(features, 4)
    np.testing.assert_allclose(found.explained, values[:4] / values.sum(), rtol=1e-4)
    np.testing.assert_allclose(np.sum(found.points**2, 0), values[:4], rtol=1e-4)


def test_more_components_than_dimensions_get_one_line():
    with pytest.raises(ValueError, match="^7 principal components of 6 features of 40 examples: take 1 to 6$"):
        pca(RNG.normal(size=(40, 6)), 7)


def test_tsne_keeps_groups_apart():
    groups = np.repeat(np.eye(3) * 50, 20, axis=0) + RNG.normal(size=(60, 3))
    points, rows = tsne(groups, images=45)
    group = rows // 20
    centres = np.stack([points[group == g].mean(0) for g in range(3)])
    assert np.array_equal(np.argmin(((points[:, None] - centres) ** 2).sum(-1), 1), group)


@pytest.mark.long
def test_a_trained_probe_learns_what_is_linear_and_nothing_from_noise():
    labels = np.arange(400) % 4
    features = np.eye(4)[labels] + 0.2 * RNG.normal(size=(400, 4))
    assert trained_probe(features[:300], labels[:300], features[300:], labels[300:], 30, 0.05, 64) > 0.95
    noise = RNG.normal(size=(400, 4))
    assert trained_probe(noise[:300], labels[:300], noise[300:], labels[300:], 30, 0.05, 64) < 0.45


@pytest.mark.parametrize(
    "name, knobs, line",
    [
        ("notebook", dict(exp_type="alfa"), "no exp_type 'alfa': did you mean alpha"),
        ("notebook", dict(usl_type="ae_double"), "no usl_type 'ae_double'"),
        ("notebook", dict(usl_type="simclr", exp_type="alpha"), "usl_type.*ae_parallel"),
        ("notebook", dict(usl_type="ae_parallel", alpha=-1.0), "alpha must be at least 0, got -1.0"),
        ("notebook", dict(usl_type="ae_parallel", embedding_loss="l3"), "no embedding_loss 'l3'"),
        ("embedding_size", dict(num_classes=(3, 11)), "digits has 10 classes: choose 2 to 10 of them, not 11"),
        ("embedding_size", dict(clustered="embedding"), "50 principal components of an embedding of 8 dimensions"),
    ],
)
def test_bad_values_of_an_experiment_get_one_line(tmp_path, name, knobs, line):
    data = dict(data="digits") if name == "embedding_size" else dict(usl_data="digits", le_data="digits", le_epochs=1)
    with pytest.raises(ValueError, match=line) as raised:
        recipe(name)(**data, **knobs, max_images=600, runs=str(tmp_path), export_to=str(tmp_path))
    assert "\n" not in str(raised.value)


def test_the_notebooks_command_line_has_its_names_and_defaults():
    known = catalog.knobs.read(catalog.recipes()["notebook"], "notebook")
    defaults = dict(usl_epochs=400, le_epochs=300, usl_lr=1e-4, le_lr=1e-3, denoising=False, layerwise=False)
    assert {name: known[name].default for name in defaults} == defaults
    assert catalog.knobs.convert(known["denoising"], "False") is False


@pytest.mark.long
def test_the_alpha_experiment_leaves_table_plot_journal_and_encoders(tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(40):  # larger than the digits that the encoders are judged on
        Image.fromarray(RNG.integers(0, 255, (12, 12), dtype=np.uint8)).save(tmp_path / "photos" / f"{number}.png")
    alpha = recipe("notebook", ALPHAS=(0.01, 1.0))
    knobs = dict(usl_type="ae_parallel", exp_type="alpha", usl_data=str(tmp_path / "photos"), le_data="digits")
    knobs |= dict(max_images=600, width=0.1, latent_dim=8, usl_epochs=1, le_epochs=2, batch_size=20, runs=str(tmp_path))
    rows = alpha(**knobs, export_to=str(tmp_path / "exports"))
    folder = tmp_path / "notebook_ae_parallel_alpha"
    assert [row.get("alpha") for row in rows] == [None, None, 0.01, 1.0]
    assert all(0 <= row[figure] <= 1 for row in rows for figure in ("linear", "knn", "accuracy", "nmi"))
    assert "python recipes/notebook.py --usl_type ae_parallel --exp_type alpha" in (folder / "journal.md").read_text()
    assert (folder / "plot.png").exists()
    cards = sorted((tmp_path / "exports" / folder.name).glob("*/README.md"))
    assert len(cards) == 2 and all(
        "| figure | trained | untrained | raw pixels |" in card.read_text() for card in cards
    )
    assert alpha(**knobs, export_to=str(tmp_path / "exports"), resume=True) == rows
