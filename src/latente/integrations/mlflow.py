"""Models and terms of a training in MLflow (extra ``mlflow``). A logged model is code over the .safetensors file: no pickle."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
from mlflow.pyfunc import PythonModel

from latente.estimator import VAE, load

MODEL = "model"


class LatenteModel(PythonModel):  # type: ignore[misc]
    """A model whose prediction is one of :data:`TASKS`, ``"anomalies"`` if the parameter ``task`` says nothing else."""

    def load_context(self, context: Any) -> None:
        """Read the model file."""
        self.vae = load(context.artifacts[MODEL])

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """The result of a task for a frame of rows."""
        return TASKS[(params or {}).get("task", "anomalies")](self.vae, model_input)


TASKS: dict[str, Callable[[VAE, Any], Any]] = {
    "anomalies": lambda vae, rows: vae.anomalies(rows),
    "encode": lambda vae, rows: vae.transform(rows),
    "impute": lambda vae, rows: vae.impute(rows),
    "reconstruct": lambda vae, rows: vae.reconstruct(rows),
    "score": lambda vae, rows: vae.score_samples(rows),
}


def log_model(vae: VAE, name: str = MODEL, **how: Any) -> Any:
    """Log a model to the active run; ``how`` are arguments of ``mlflow.pyfunc.log_model``."""
    code = Path(__file__).with_name("mlflow_model.py")
    with tempfile.TemporaryDirectory() as folder:
        artifacts = {MODEL: str(vae.save(Path(folder) / "model.safetensors"))}
        return mlflow.pyfunc.log_model(name=name, python_model=str(code), artifacts=artifacts, **how)


def logs_terms(training: Any) -> None:
    """An observer for :meth:`latente.VAE.fit`: logs the terms of each epoch to the active run."""
    record = training.status.history[-1]
    mlflow.log_metrics({key: float(value) for key, value in record.items() if key != "epoch"}, step=int(record["epoch"]))
