"""The search: says how much it will be, runs the trials, and exports the best encoder."""

import contextlib
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslzoo import catalog
from sslzoo.catalog.knobs import nearest
from sslzoo.exports.savedmodel import refuse_existing
from sslzoo.training.runs import Run
from sslzoo.training.tracking import MLflow
from sslzoo.tuning import space as spaces
from sslzoo.tuning.hypermodel import HyperModel, check_objective
from sslzoo.tuning.searcher import TUNERS, Searcher
from sslzoo.utils.files import remove

PLACES = {"name", "runs", "export_to", "evaluate", "resume"}  # knobs that a search sets for each trial


@dataclass
class Search:
    """What a search gave: its folder, knobs and score of the best trial, and that one's exported encoder."""

    folder: Path
    best: dict[str, Any]
    score: float
    exported: Path | None


def tune(
    recipe: str,
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
    """Searches the SPACE of a recipe; exports and judges the encoder of the best trial.

    Args:
        recipe: a file of recipes/, or the path of another one.
        trials: how many to run, at most.
        objective: "knn" is the leave-one-out accuracy of k-NN on training images, "linear" that of a linear probe on
            training images held out from it; "rank" is RankMe and needs no labels. The test images judge only the
            best encoder.
        tuner: "random", "bayesian", or "hyperband", which gives many trials few epochs and the best of them more.
        seed: of the draws, and of every trial.
        name: of the search and the export; RECIPE_search if not given.
        runs: folder of the search's folder.
        export_to: folder of the exported encoders; "none" exports nothing.
        evaluate: linear probe, k-NN and clustering of the best encoder, where the data has labels.
        resume: go on with the search of that name, with more trials if more are asked for.
        overwrite: replace the search and the export of that name.
        mlflow: log the search to MLflow, its trials nested under it.

    Other keywords are knobs of the recipe: they are the same in all trials, and leave the space.

    Raises:
        ValueError: a wrong name or value, an empty space, or no trial succeeded; the text is one line.
    """
    path = _file(recipe)
    space = _space(path, trials, objective, tuner, knobs)
    name = name or f"{path.stem}_search"
    folder, exported = Path(runs) / name, Path(export_to) / name if export_to else None
    if exported and not resume:
        refuse_existing(exported, overwrite)
    settings = {"recipe": path.stem, "objective": objective, "tuner": tuner, "seed": seed} | knobs
    settings |= {f"space.{knob}": repr(choice) for knob, choice in space.items()}
    fixed = knobs | {"seed": seed} | ({"mlflow": True} if mlflow else {})
    model = HyperModel(catalog.recipe_function(path), space, objective, path.stem, str(folder), **fixed)
    tracker = MLflow(folder, name, settings) if mlflow else contextlib.nullcontext()
    with Run(folder, settings, resume, overwrite), tracker:
        searcher = Searcher(model, tuner, trials, seed, _epochs(path, knobs, space), _command(path, trials, settings))
        best = searcher.run()
        places = dict(name=name, runs=str(folder), export_to=export_to, evaluate=evaluate, resume=True)
        _link(folder / name, model.run_name(best.trial_id))
        model.train(**fixed | model.values(best.hyperparameters) | places)
        if mlflow:
            tracker.log({f"best {objective}": best.score})
    return Search(folder, model.values(best.hyperparameters), float(best.score), exported)


def _file(recipe: str) -> Path:
    path = catalog.recipes().get(recipe, Path(recipe))
    if path.suffix != ".py" or not path.is_file():
        raise ValueError(nearest("recipe", recipe, catalog.recipes()))
    return path


def _space(path: Path, trials: int, objective: str, tuner: str, knobs: dict) -> spaces.Space:
    """What is searched, once all that can be wrong is ruled out."""
    check_objective(objective)
    if tuner not in TUNERS:
        raise ValueError(nearest("tuner", tuner, TUNERS))
    if trials < 1:
        raise ValueError(f"trials is {trials}: give 1 or more")
    known = catalog.recipe_knobs(path)
    if missing := PLACES - known.keys():
        raise ValueError(f"{path.stem} cannot be tuned: it does not take {', '.join(sorted(missing))}")
    space = spaces.read(path)
    for name in (*knobs, *space):
        if name not in known:
            raise ValueError(nearest(f"knob of {path.stem}", name, known.keys() - PLACES))
    space = {name: choice for name, choice in space.items() if name not in knobs}
    spaces.check(space, str(path))
    if tuner == "hyperband" and "epochs" in space:
        raise ValueError("hyperband chooses the epochs: give --epochs, the most of a trial, or take another --tuner")
    return space


def _epochs(path: Path, knobs: dict, space: spaces.Space) -> int | None:
    default = catalog.recipe_knobs(path).get("epochs")
    return None if "epochs" in space or not default else knobs.get("epochs", default.default)


def _command(path: Path, trials: int, settings: dict) -> str:
    """The command line that these settings come from."""
    given = {"trials": trials} | {k: v for k, v in settings.items() if k != "recipe" and not k.startswith("space.")}
    return shlex.join(["sslzoo", "tune", path.stem, *(f"--{k.replace('_', '-')}={v}" for k, v in given.items())])


def _link(link: Path, target: str) -> None:
    """The best trial's run folder under the name of the search, which becomes that of the export."""
    remove(link)
    link.symlink_to(target)
