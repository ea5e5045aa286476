"""The MLflow store: connecting to it, the experiment of the project, links, data sets and models."""

import importlib
import logging
import os
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from sslzoo.exports.savedmodel import load_encoder, read_facts

EXPERIMENT = "sslzoo"
SECONDS = 20  # for an answer of the server
# MLflow opens experiments of this kind on their runs, others on traces of language models.
KIND = {"mlflow.experimentKind": "custom_model_development"}


def connect():
    """The module mlflow with a store; telemetry is off unless MLFLOW_DISABLE_TELEMETRY=false.

    Raises:
        ValueError: MLflow is not installed, or its server does not answer; one line.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(SECONDS))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    try:
        mlflow = importlib.import_module("mlflow")
    except ModuleNotFoundError:
        raise ValueError("MLflow is not installed: pip install -e '.[mlflow]'") from None
    for noisy in ("mlflow.store.db", "mlflow.tracking", "mlflow.models"):  # each table, each note on each model
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if not mlflow.is_tracking_uri_set():
        mlflow.set_tracking_uri("sqlite:///mlflow.db")
    _check_answer(mlflow.get_tracking_uri())
    return mlflow


def _check_answer(store: str) -> None:
    """Raises ValueError if a server does not answer within SECONDS; any answer will do."""
    if not store.startswith(("http://", "https://")):
        return
    try:
        urllib.request.urlopen(f"{store.rstrip('/')}/health", timeout=SECONDS).close()
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        ways = "start the server, set MLFLOW_TRACKING_URI to another one, or leave out mlflow=True"
        raise ValueError(f"the MLflow server {store} does not answer within {SECONDS} s ({why}): {ways}") from None


def experiment(mlflow) -> str | None:
    """Id of the experiment of a new run: that of the active run, or "sslzoo"; None if the environment names one."""
    if parent := mlflow.active_run():
        return parent.info.experiment_id
    if any(os.environ.get(f"MLFLOW_EXPERIMENT_{what}") for what in ("NAME", "ID")):
        return None
    found = mlflow.get_experiment_by_name(EXPERIMENT)
    return found.experiment_id if found else mlflow.create_experiment(EXPERIMENT, tags=KIND)


def link(mlflow, run) -> str:
    """A line on where the run can be seen."""
    store, page = mlflow.get_tracking_uri(), f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
    if store.startswith(("http://", "https://")):
        return f"MLflow run: {store.rstrip('/')}/{page}"
    return f"MLflow run: mlflow ui --backend-store-uri {store} shows it at http://127.0.0.1:5000/{page}"


def log_data(mlflow, name: str, digest: str) -> None:
    """Logs a data set by its name and fingerprint as the training input of the active run."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    data = MetaDataset(CodeDatasetSource({"data": name}), name=name[:500], digest=digest)
    mlflow.log_input(data, context="training")


def log_model(mlflow, folder: Path) -> None:
    """Logs an exported encoder as a model of the active run, which `mlflow.pyfunc.load_model` opens."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Schema, TensorSpec

    facts = read_facts(folder)
    told = facts["encoder"]
    inputs = TensorSpec(np.dtype(told["input"]["dtype"]), (-1, *(side or -1 for side in told["input"]["shape"][1:])))
    features = TensorSpec(np.dtype("float32"), (-1, told["features"]))
    needs = [f"{name}=={facts['versions'][name]}" for name in ("keras", "tensorflow") if name in facts["versions"]]
    mlflow.tensorflow.log_model(
        load_encoder(folder),
        name="encoder",
        signature=ModelSignature(Schema([inputs]), Schema([features])),
        pip_requirements=needs,
        tags={"method": str(facts.get("method", ""))},
    )
