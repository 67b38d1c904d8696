"""Models as ONNX files: encoder, decoder and score as functions of a table's numbers (extra ``onnx``)."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latente.data import TableCodec, table_codec
from latente.data.fields import FARTHEST
from latente.errors import ModelError
from latente.estimator import VAE
from latente.files import write_atomically
from latente.fitted import Fitted
from latente.model.doubles import in_double
from latente.model.plain import PlainModule
from latente.rows import Rows
from latente.tasks.detectors import DETECTORS, OF_LOG_PROB, Batch, chosen
from latente.training.surroundings import surprise

PARTS = ("encoder", "decoder", "score")
OPSET = 20


class Numbers(nn.Module):
    """The numbers of a table as encoded rows: standardised, 0 where one is NaN."""

    center: Tensor
    scale: Tensor

    def __init__(self, codec: TableCodec) -> None:
        super().__init__()
        for name in ("center", "scale"):
            self.register_buffer(name, torch.from_numpy(getattr(codec, name)[codec.places]).double())
        self.masked = any(field.missing for field in codec.fields)

    def forward(self, rows: Tensor) -> Rows:
        """Encoded rows of values [B, F], float64."""
        observed = ~torch.isnan(rows)
        x = ((rows - self.center) / self.scale).clamp(-FARTHEST, FARTHEST)
        return Rows(torch.where(observed, x, 0.0).float(), observed if self.masked else None)


class Encoder(nn.Module):
    """Values to codes."""

    def __init__(self, fitted: Fitted, numbers: Numbers) -> None:
        super().__init__()
        self.numbers, self.encoder = numbers, PlainModule(fitted.model).encoder

    def forward(self, rows: Tensor) -> Tensor:
        """Posterior means [B, d] of values [B, F]."""
        encoded = self.numbers(rows)
        code: Tensor = self.encoder(encoded.x, encoded.mask)
        return code


class Decoder(nn.Module):
    """Codes to values."""

    def __init__(self, fitted: Fitted, numbers: Numbers) -> None:
        super().__init__()
        self.numbers, self.decoder = numbers, PlainModule(fitted.model).decoder

    def forward(self, z: Tensor) -> Tensor:
        """Means [B, F], not rounded, of codes [B, d]."""
        values: Tensor = self.decoder(z).double() * self.numbers.scale + self.numbers.center
        return values


class Score(nn.Module):
    """Values to the score of :meth:`latente.VAE.anomalies`."""

    def __init__(self, fitted: Fitted, numbers: Numbers) -> None:
        super().__init__()
        self.fitted, self.numbers, self.weights = fitted, numbers, chosen(fitted, "auto")
        self.model = in_double(fitted.model)
        if random := [name for name in self.weights if name in OF_LOG_PROB]:
            raise ModelError(f"the score {random[0]!r} can't be exported to ONNX; the encoder and the decoder can")

    def forward(self, rows: Tensor) -> Tensor:
        """Scores [B], lower is stranger, of values [B, F]; NaN without any value."""
        batch = Batch(self.fitted, self.numbers(rows), model=self.model)
        each = {name: self._near(batch) if name == "near" else DETECTORS[name](batch) for name in self.weights}
        if len(each) == 1:
            total = next(iter(each.values()))
        else:
            tails = {name: torch.from_numpy(self.fitted.usual.tail(name)) for name in each}
            total = torch.stack([w * surprise(each[name], tails[name]) for name, w in self.weights.items()]).sum(0)
        return torch.where(torch.isnan(rows).all(1), torch.nan, -total)

    def _near(self, batch: Batch) -> Tensor:
        """The detector "near" for any number of rows, as products of matrices."""
        place, groups = batch.place, batch.surroundings.groups.double()
        squares = place.square().sum(1, keepdim=True) - 2 * place @ groups.T + groups.square().sum(1)
        return squares.clamp_min(0.0).amin(1).sqrt()


def to_onnx(vae: VAE, folder: str | Path, parts: tuple[str, ...] = PARTS) -> dict[str, Path]:
    """Write ``encoder.onnx``, ``decoder.onnx`` and ``score.onnx``, and ``columns.json``, which names their inputs.

    The input ``rows`` [B, F], float64, holds the modelled columns in the order of ``columns.json``: numbers as they are (NaN
    where missing), dates and times in seconds, and for a column of text the index of its level.

    Args:
        vae: a fitted model of a table, without context.
        folder: of the files.
        parts: which of them.

    Returns:
        The paths by part.

    Raises:
        ModelError: the model can't be exported, or onnx is not installed.
    """
    fitted = vae.fitted_
    codec = table_codec(fitted.codec, "ONNX")
    fitted.refuse_all_contexts("an ONNX file")
    numbers, made = Numbers(codec), {"encoder": Encoder, "decoder": Decoder, "score": Score}
    if unknown := [part for part in parts if part not in made]:
        raise ModelError(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    columns = [{"name": codec.names[c], "dtype": codec.dtypes[c], "levels": codec.levels(c)} for c in codec.places.tolist()]
    paths = {part: _written(made[part](fitted, numbers), part, Path(folder), codec, fitted.latent_dim) for part in parts}
    text = json.dumps({"columns": columns}, indent=1, ensure_ascii=False)
    return {**paths, "columns": write_atomically(Path(folder) / "columns.json", lambda file: file.write(text.encode()))}


def _written(module: nn.Module, part: str, folder: Path, codec: TableCodec, d: int) -> Path:
    """Export a module, and write it atomically."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModelError("ONNX files need onnx and onnxscript: pip install 'latente[onnx]'") from error
    example = torch.zeros(2, d) if part == "decoder" else torch.zeros(2, len(codec.places), dtype=torch.float64)
    names = ("z", "rows") if part == "decoder" else ("rows", {"encoder": "z", "score": "score"}[part])
    module = module.eval().requires_grad_(False)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of packages that it does not need
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                module,
                (example,),
                input_names=names[:1],
                output_names=names[1:],
                opset_version=OPSET,
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                dynamo=True,
            )
        except Exception as error:  # torch's exporter raises errors of many kinds
            raise ModelError(
                f"the {part} of this model can't be exported to ONNX: {str(error).partition(chr(10))[0]}"
            ) from error
    content: Any = program
    return write_atomically(folder / f"{part}.onnx", lambda file: file.write(content.model_proto.SerializeToString()))
