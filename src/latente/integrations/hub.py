"""Models on the Hugging Face Hub, with a card that is filled from the certificate (extra ``hub``)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from latente.certificate import Certificate
from latente.errors import DataError, ModelError
from latente.estimator import VAE, load
from latente.files import write_text
from latente.version import __version__

MODEL, CARD, CERTIFICATE = "model.safetensors", "README.md", "certificate.json"


def card(vae: VAE, certificate: Certificate | None, name: str, licence: str) -> str:
    """A model card in Markdown.

    Args:
        vae: the model. certificate: its figures, or None. name: of the repository. licence: of the model, such as "mit".
    """
    fitted, figures = vae.fitted_, vae.figures_
    head = {"library_name": "latente", "license": licence, "tags": ["variational-autoencoder", fitted.recipe.name, "latente"]}
    front = "\n".join(f"{key}: {json.dumps(value)}" for key, value in head.items())
    rows = f"{figures['rows']:,} training rows, {figures['held_out_rows']:,} validation rows"
    columns = "\n".join(f"| {c['name']} | {c['kind']} | {c['reason']} |" for c in fitted.columns)
    measured = certificate or "No certificate was made."
    notes = "\n".join(f"- {note}" for note in vae.notes_) or "- none"
    return f"""---
{front}
---

# {name}

A variational autoencoder, recipe `{fitted.recipe.name}`, with {figures["latent_dim"]} dimensions of the code. {rows}.
Validation loss {figures["loss"]:.2f} nats per row (reconstruction {figures["distortion"]:.2f}, KL {figures["rate"]:.2f}).

## Use

```python
from latente.integrations.hub import from_hub

vae = from_hub("{name}")
vae.anomalies(rows); vae.impute(rows); vae.sample(100)
```

## Columns

| column | kind | reason |
|---|---|---|
{columns}

## Latent-space quality

```
{measured}
```

## Notes of the fit

{notes}

## What the file reveals

Names of columns, levels of texts, smallest, largest and frequent values, histograms of each column, and means of groups of at
least five training rows. It holds no single row. Written by Latente {__version__}.
"""


def save_for_hub(
    vae: VAE, folder: str | Path, name: str, licence: str = "other", certificate: Certificate | None = None
) -> Path:
    """Write a model, its card and its certificate to a folder; without ``certificate`` one is made, if the rows of the fit are
    in memory.

    >>> import tempfile
    >>> from sklearn.datasets import load_iris
    >>> vae = VAE(latent_dim=2, max_epochs=2, random_state=0).fit(load_iris(as_frame=True).data)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save_for_hub(vae, folder, "me/iris")
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['README.md', 'certificate.json', 'model.safetensors']
    """
    folder = Path(folder)
    if (
        certificate is None
        and vae.fitted_.at_hand is not None
        and vae.figures_["held_out_rows"]
        and vae.fitted_.context is None
    ):
        certificate = vae.certificate()
    vae.save(folder / MODEL)
    write_text(folder / CARD, card(vae, certificate, name, licence))
    if certificate is not None:
        write_text(folder / CERTIFICATE, certificate.to_json())
    return folder


def push_to_hub(vae: VAE, name: str, licence: str = "other", *, certificate: Certificate | None = None, **how: Any) -> str:
    """Upload a model with its card; returns the address of the commit.

    Args:
        vae: the model. name: of the repository, such as "me/wine". licence: of the model. certificate: of the model.
        how: arguments of ``huggingface_hub.HfApi``: ``token``, ``endpoint``.
    """
    api = _hub().HfApi(**how)
    with tempfile.TemporaryDirectory() as folder:
        save_for_hub(vae, folder, name, licence, certificate)
        api.create_repo(name, exist_ok=True)
        found = api.upload_folder(repo_id=name, folder_path=folder, commit_message=f"Latente {__version__}")
    return str(found)


def from_hub(name: str, revision: str | None = None, **how: Any) -> VAE:
    """A model from the Hub, or from a folder that :func:`save_for_hub` wrote. Its file holds no code.

    Args:
        name: of the repository, or the folder.
        revision: a branch, tag or commit.
        how: arguments of ``huggingface_hub.hf_hub_download``: ``token``, ``endpoint``, ``cache_dir``.

    Raises:
        DataError: there is no such model.
    """
    if (Path(name) / MODEL).exists():
        return load(Path(name) / MODEL)
    hub = _hub()
    try:
        return load(hub.hf_hub_download(name, MODEL, revision=revision, **how))
    except (hub.errors.HfHubHTTPError, hub.errors.HFValidationError, OSError) as error:
        raise DataError(f"{name} is neither a folder with {MODEL} nor a model on the Hub that can be read: {error}") from error


def _hub() -> Any:
    try:
        import huggingface_hub
    except ModuleNotFoundError as error:
        raise ModelError("the Hub needs huggingface_hub: pip install 'latente[hub]'") from error
    return huggingface_hub
