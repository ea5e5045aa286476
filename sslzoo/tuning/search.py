"""The search: estimates its duration, runs the trials, and exports the best encoder."""

import contextlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslzoo import catalog
from sslzoo.catalog import options
from sslzoo.catalog import recipe as recipes
from sslzoo.catalog.checked import checked
from sslzoo.catalog.knobs import nearest, read
from sslzoo.catalog.recipe import Recipe
from sslzoo.exports.savedmodel import refuse_existing
from sslzoo.training.runs import Run
from sslzoo.training.spelling import spelled
from sslzoo.training.tracking import MLflow
from sslzoo.tuning import space as spaces
from sslzoo.tuning.hypermodel import HyperModel, check_objective
from sslzoo.tuning.searcher import TUNERS, Searcher
from sslzoo.utils.files import refuse_path, remove

PLACES = {"name", "runs", "export_to", "evaluate", "resume"}  # arguments that a search sets for each trial


@dataclass
class Search:
    """The result of a search.

    Attributes:
        folder: folder of the search.
        best: knobs of the best trial.
        score: score of the best trial.
        exported: folder of the exported encoder of the best trial; None without an export.
    """

    folder: Path
    best: dict[str, Any]
    score: float
    exported: Path | None


@checked()
def tune(
    recipe: Any,
    trials: int = 10,
    objective: str = "knn",
    tuner: str = "random",
    *,
    seed: int = 0,
    name: str | None = None,
    runs: str = "runs",
    export_to: str | None = "exported_models",
    evaluate: bool = True,
    resume: bool = False,
    overwrite: bool = False,
    mlflow: bool = False,
    **knobs,
) -> Search:
    """Searches the knobs of a recipe or a method; exports and evaluates the encoder of the best trial.

    Args:
        recipe: name of a recipe or a method, or the path of a recipe's file; in Python also a `Recipe`. A method, and a
            recipe without a space, are searched over the learning rate and the most common of their knobs.
        trials: maximum number of trials.
        objective: "knn" is the leave-one-out accuracy of k-NN on training images, "linear" the accuracy of a linear
            probe on held-out training images. Two require no labels: "features_found", how often features find the
            other mild view of an image, which follows accuracy best (benchmarks/label_free.md), and "rank", RankMe.
            Test images are used for the best encoder only.
        tuner: "random", "bayesian", or "hyperband", which runs many trials for few epochs and the best for more.
        seed: seed of the draws and of every trial.
        name: name of the search and the export; RECIPE_search if None.
        runs: folder of the search's folder.
        export_to: folder of the exported encoders; "none" exports nothing.
        evaluate: run the linear probe, k-NN and clustering of the best encoder if the data has labels.
        resume: continue the search of this name; a larger number of trials is allowed.
        overwrite: replace the search and the export of this name.
        mlflow: log the search to MLflow; the trials are nested under it.
        knobs: arguments of the recipe, equal in all trials; they are removed from the space.

    Returns:
        The search: its folder, the knobs and the score of the best trial, and the exported encoder.

    Raises:
        ValueError: if a name or a value is wrong, the space is empty, or no trial succeeds; the text is one line.
    """
    subject = _subject(recipe)
    space = _space(subject, objective, tuner, knobs)
    name = name or f"{subject.name}_search"
    refuse_path(name)
    folder, exported = Path(runs) / name, Path(export_to) / name if export_to else None
    if exported:
        refuse_existing(exported, overwrite or resume)
    settings = {"recipe": subject.name, "objective": objective, "tuner": tuner, "seed": seed} | knobs
    settings = {n: spelled(value) for n, value in settings.items()}
    settings |= {f"space.{knob}": repr(choice) for knob, choice in space.items()}
    fixed = knobs | {"seed": seed} | ({"mlflow": True} if mlflow else {})
    model = HyperModel(subject.train, space, objective, subject.name, str(folder), **fixed)
    tracker = MLflow(folder, name, settings) if mlflow else contextlib.nullcontext()
    with Run(folder, settings, resume, overwrite), tracker:
        epochs = None if "epochs" in space else knobs.get("epochs", subject.epochs)
        searcher = Searcher(model, tuner, trials, seed, epochs, _command(subject.name, trials, settings))
        best = searcher.run()
        places = dict(name=name, runs=str(folder), export_to=export_to, evaluate=evaluate, resume=True)
        _link(folder / name, model.run_name(best.trial_id))
        model.train(**fixed | model.values(best.hyperparameters) | places)
        if mlflow:
            tracker.log({f"best {objective}": best.score})
    return Search(folder, model.values(best.hyperparameters), float(best.score), exported)


@dataclass
class Subject:
    """The subject of a search: a training function of knobs, its space, the names of its knobs, and its epochs."""

    name: str
    train: Callable
    space: spaces.Space
    takes: Callable[[dict], set[str]]
    epochs: int | None


def _subject(recipe: Any) -> Subject:
    if isinstance(recipe, Recipe):
        return _of_recipe(recipe, f"{spelled(recipe.settings['method'])}".rpartition(".")[2])
    path = catalog.recipes().get(str(recipe), Path(str(recipe)))
    if path.suffix == ".py" and path.is_file():
        found = recipes.read(path)
        return _of_recipe(found, path.stem) if found else _of_function(path)
    if isinstance(recipe, str) and recipe not in catalog.methods():
        raise ValueError(nearest("recipe or method", recipe, {*catalog.recipes(), *catalog.methods()}))
    return _of_recipe(recipes.of_method(recipe), recipe if isinstance(recipe, str) else recipe.__name__)


def _of_recipe(recipe: Recipe, name: str) -> Subject:
    default = catalog.experiment_knobs()["epochs"].default

    def takes(knobs: dict) -> set[str]:
        settings = recipe.changed(**knobs)
        return options.names(*(settings.get(part) for part in options.PARTS))

    space = recipe.space or spaces.default(recipe.settings)
    return Subject(name, recipe, space, takes, recipe.settings.get("epochs", default))


def _of_function(path: Path) -> Subject:
    known = read(path, path.stem)
    if missing := PLACES - known.keys():
        raise ValueError(f"{path.stem} cannot be tuned: it does not take {', '.join(sorted(missing))}")
    epochs = known["epochs"].default if "epochs" in known else None
    return Subject(path.stem, recipes.load(path), spaces.read(path), lambda knobs: set(known), epochs)


def _space(subject: Subject, objective: str, tuner: str, knobs: dict) -> spaces.Space:
    """Returns the search space after all checks."""
    check_objective(objective)
    if tuner not in TUNERS:
        raise ValueError(nearest("tuner", tuner, TUNERS))
    known = subject.takes(knobs)
    for name in (*knobs, *subject.space):
        if name not in known:
            raise ValueError(nearest(f"knob of {subject.name}", name, known - PLACES))
    space = {name: choice for name, choice in subject.space.items() if name not in knobs}
    spaces.check(space, subject.name)
    if tuner == "hyperband" and "epochs" in space:
        raise ValueError("hyperband chooses the epochs: give epochs=..., the maximum of a trial, or another tuner=...")
    return space


def _command(name: str, trials: int, settings: dict) -> str:
    """Returns the command line of these settings."""
    given = {"trials": trials} | {k: v for k, v in settings.items() if k != "recipe" and not k.startswith("space.")}
    return shlex.join(["sslzoo", "tune", name, *(f"--{k.replace('_', '-')}={v}" for k, v in given.items())])


def _link(link: Path, target: str) -> None:
    """Links the run folder of the best trial under the name of the search, which is also the name of the export."""
    remove(link)
    link.symlink_to(target)
