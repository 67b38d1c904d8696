"""Training on a Ray cluster: Ray Train starts the processes, and starts them again from the last checkpoint where one is lost.

The rows of a step are cut into ``workers`` parts, whatever the number of processes is at that time. So the result is that of
``vae.fit(data, workers=workers)``, up to rounding, although processes come and go.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from latente import errors
from latente.errors import LatenteError, ModelError
from latente.estimator import VAE, load
from latente.files import write_text
from latente.parameters import is_whole
from latente.training.workers import rank

SURE = (ArithmeticError, AttributeError, ImportError, LookupError, TypeError, ValueError)  # to come again; not of a lost peer
CHECKPOINT, MODEL, FAILED, OWN = "checkpoint", "model.safetensors", "failed.json", "ray"


def fit(
    estimator: VAE,
    data: Any,
    folder: str | Path,
    *,
    workers: int = 2,
    processes: int | tuple[int, int] | None = None,
    context: Any = None,
    checkpoint_every: float = 5.0,
    resume: bool = False,
    max_failures: int = -1,
) -> VAE:
    """Fit an estimator on the Ray cluster of this process (``ray.init``).

    Args:
        estimator: not fitted; it is not changed.
        data: a path or query that every machine of the cluster can read, or rows in memory, which are sent to each.
        folder: for checkpoints and the model, which every machine can write to.
        workers: parts of each batch.
        processes: how many processes train, at most ``workers``; (least, most) takes as many as the cluster has room for, also
            after some are lost.
        context: as in :meth:`latente.VAE.fit`.
        checkpoint_every: seconds between two checkpoints, within epochs, too.
        resume: continue from the checkpoint of an earlier call.
        max_failures: how often lost processes are replaced; -1 for always.

    Returns:
        The fitted estimator, read from ``folder/model.safetensors``.

    Raises:
        LatenteError: as of :meth:`latente.VAE.fit`.
    """
    try:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
    except ImportError as error:
        raise ModelError("this needs Ray: pip install 'latente[ray]'") from error
    processes, folder = _checked(processes, workers), Path(folder).absolute()
    if not resume:
        shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    (folder / FAILED).unlink(missing_ok=True)
    how = {"context": context, "workers": workers, "checkpoint_every": checkpoint_every}
    trainer = TorchTrainer(
        _train,
        train_loop_config={"estimator": estimator, "data": data, "folder": str(folder), "how": how},
        torch_config=TorchConfig(backend="gloo"),
        scaling_config=ScalingConfig(num_workers=processes),
        run_config=RunConfig(name=OWN, storage_path=str(folder), failure_config=FailureConfig(max_failures=max_failures)),
    )
    try:
        trainer.fit()
    finally:
        shutil.rmtree(folder / OWN, ignore_errors=True)
    if (folder / FAILED).exists():
        told = json.loads((folder / FAILED).read_text())
        raise getattr(errors, told["kind"], LatenteError)(told["message"])
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    return load(folder / MODEL)


def _checked(processes: int | tuple[int, int] | None, workers: int) -> int | tuple[int, int]:
    least, most = processes if isinstance(processes, tuple) else (processes or workers,) * 2
    if not (is_whole(workers, 1) and is_whole(least, 1) and least <= most <= workers):
        raise ModelError(f"processes={processes!r} is a number from 1 to workers={workers}, or the least and the most of them")
    return int(least) if least == most else (int(least), int(most))


def _train(asked: dict[str, Any]) -> None:
    """What each process does. Errors that would come again are written down, so that they are not tried again."""
    folder = Path(asked["folder"])
    try:
        how = {**asked["how"], "checkpoint": folder / CHECKPOINT, "resume": True, "keep_checkpoint": True}
        vae = asked["estimator"].fit(asked["data"], **how)
        if rank() == 0:
            vae.save(folder / MODEL)
    except LatenteError as error:
        write_text(folder / FAILED, json.dumps({"kind": type(error).__name__, "message": str(error)}))
    except SURE as error:
        write_text(folder / FAILED, json.dumps({"kind": "LatenteError", "message": f"{type(error).__name__}: {error}"}))
