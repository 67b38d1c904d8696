"""The explorer's pages: how large they are, and how long a row takes to decode in Node.

``python -m benchmarks.explorer`` prints the table; ``--fixtures FOLDER`` writes example packs and pages to work with.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits, load_wine

import latente as lt
from latente.cli import demo as command
from latente.cli.console import Console
from latente.explorer.export import demo_page, lesson_page, packed_model, page
from latente.explorer.pack import pack
from latente.report.demonstration import Digits

QUICK: dict[str, Any] = {"max_epochs": 60, "batch_size": 128, "learning_rate": 5e-3, "random_state": 0}
DATA = Path(os.environ.get("LATENTE_DATA", Path(__file__).parents[2] / "shared" / "data"))
BUILT = Path(__file__).parents[1] / "web" / "build" / "engine.mjs"
TIMED = """
import { openPack } from "ENGINE";
import { readFileSync } from "node:fs";
const model = openPack(new Uint8Array(readFileSync("PACK"))).models[0];
const times = [];
for (let i = 0; i < 300; i++) {
  const z = model.sample("fitted", Math.random);
  const before = performance.now();
  model.decode(z);
  times.push(performance.now() - before);
}
times.sort((a, b) => a - b);
console.log(times[150].toFixed(3), times[285].toFixed(3), model.multiplyAdds);
"""


def digits(folder: Path) -> Path:
    """An autoencoder beside a VAE of handwritten digits, d = 2, with rows and lesson."""
    data = load_digits()
    models = [kind(latent_dim=2, **QUICK).fit(data.images) for kind in (lt.VAE, lt.Autoencoder)]
    certificates = (models[0].certificate(), models[1].certificate())
    return with_pack(demo_page(folder / "digits.html", models[0], models[1], data.images, data.target, certificates))


def of_demo(folder: Path) -> Path:
    """The page of ``latente demo``: digits drawn from fonts, d = 16, with rows and lesson."""
    digits, console = Digits.draw(), Console(False, True)
    return with_pack(command.write_explorer(command.fitted(digits, 0, console), digits, 0, folder / "demo.html"))


def with_pack(path: Path) -> Path:
    """A page, and the bare pack beside it."""
    path.with_suffix(".pack").write_bytes(unpacked(path.read_text(encoding="utf-8")))
    return path


def unpacked(text: str) -> bytes:
    """The pack in a page."""
    return gzip.decompress(base64.b64decode(text.partition('x-latente-pack">')[2].partition("<")[0]))


def table() -> pd.DataFrame:
    """A mixed table in which every kind of column occurs."""
    wine, random = load_wine(as_frame=True), np.random.default_rng(0)
    grape = np.array(["Barolo", "Grignolino", "Barbera"])[wine.target]
    years = 1970 + 3 * wine.target.to_numpy() + random.integers(0, 4, len(wine.data))
    tasted = pd.to_datetime("2020-01-01") + pd.to_timedelta(random.integers(0, 700, len(wine.data)), "D")
    return wine.data.iloc[:, :5].assign(
        grape=grape,
        year=years,
        tasted=tasted,
        medal=wine.data["proline"] > 1000,
        stars=1 + wine.target.to_numpy() + random.integers(0, 3, len(wine.data)),
        bottles=random.poisson(40, len(wine.data)),
    )


def wine(folder: Path) -> Path:
    """A VAE of a mixed table, d found from the data; no rows in the page."""
    vae = lt.VAE(**QUICK | {"max_epochs": 200}).fit(table())
    return written(folder / "wine.html", "wine", [packed_model(vae, certificate=vae.certificate())])


def wine_with_rows(folder: Path) -> Path:
    """The same, d = 4, with rows and holes, and beside it an autoencoder."""
    rows = table()
    rows.loc[::7, "alcohol"] = np.nan
    models = [kind(latent_dim=4, **QUICK | {"max_epochs": 200}).fit(rows) for kind in (lt.VAE, lt.Autoencoder)]
    return written(folder / "wine-with-rows.html", "wine", [packed_model(model, data=rows, with_rows=True) for model in models])


def wine_lesson(folder: Path) -> Path:
    """The lesson on a mixed table."""
    return lesson_of(folder, "wine-lesson", table())


def heart(folder: Path) -> Path | None:
    """The lesson on real mixed data; None where they are not at hand."""
    file = DATA / "tables" / "heart.csv.gz"
    return lesson_of(folder, "heart", str(file)) if file.exists() else None


def lesson_of(folder: Path, name: str, data: Any) -> Path:
    """A page with the lesson on some data, as ``latente explore DATA`` serves it."""
    vae = lt.VAE("vae", effort="quick", random_state=0).fit(data)
    content = lesson_page(name, data, vae, vae.certificate())[1]
    return written_pack(folder / f"{name}.html", content)


def mnist_like(folder: Path) -> Path:
    """A convolutional VAE of 28 x 28 pictures: digits, enlarged; hardly trained."""
    pictures = torch.from_numpy(load_digits().images[:400] / 16).unsqueeze(1)
    large = torch.nn.functional.interpolate(pictures, size=(28, 28), mode="bilinear")[:, 0].numpy()
    vae = lt.VAE(latent_dim=8, max_epochs=8, batch_size=64, learning_rate=2e-3, random_state=0).fit(large)
    return written(folder / "mnist-like.html", "28 x 28 pictures", [packed_model(vae)])


def colours(folder: Path) -> Path:
    """A convolutional VAE of colour pictures, 16 x 16: discs of any colour and place."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:16, :16]
    centre, colour = random.uniform(4, 12, (300, 2, 1, 1)), random.uniform(0, 1, (300, 1, 1, 3))
    disc = np.square(y - centre[:, :1]) + np.square(x - centre[:, 1:]) < 12
    vae = lt.VAE(latent_dim=3, max_epochs=30, batch_size=32, learning_rate=2e-3, random_state=0)
    pictures = (255 * disc[:, 0, ..., None] * colour).astype(np.uint8)
    return written(folder / "colours.html", "discs", [packed_model(vae.fit(pictures), data=pictures, with_rows=True)])


def million(folder: Path) -> Path:
    """A million points in the page of a table of four measures."""
    random = np.random.default_rng(0)
    hidden = random.normal(size=(1_000_000, 2))
    rows = pd.DataFrame(hidden @ random.normal(size=(2, 4)) + 0.1 * random.normal(size=(1_000_000, 4)), columns=[*"abcd"])
    vae = lt.VAE(latent_dim=2, max_epochs=1, batch_size=4096, random_state=0).fit(rows)
    return written(folder / "million.html", "a million rows", [packed_model(vae, data=rows, with_rows=True)])


def written(path: Path, title: str, models: list[Any]) -> Path:
    """A page, and beside it the bare pack."""
    return written_pack(path, pack(title, models))


def written_pack(path: Path, content: bytes) -> Path:
    """A page of a pack, and beside it the bare pack."""
    path.write_text(page(content), encoding="utf-8")
    path.with_suffix(".pack").write_bytes(content)
    return path


PAGES: tuple[Callable[[Path], Path | None], ...] = (
    digits,
    of_demo,
    wine,
    wine_with_rows,
    wine_lesson,
    heart,
    mnist_like,
    colours,
)


def decode_time(content: Path) -> str:
    """Median and 95% of the milliseconds for one decoded row in Node, and its multiply-adds."""
    node = shutil.which("node")
    if node is None or not BUILT.exists() or not content.exists():
        return "-"
    program = TIMED.replace("ENGINE", BUILT.as_uri()).replace("PACK", str(content))
    return subprocess.run(
        [node, "--input-type=module", "-e", program], capture_output=True, text=True, check=True
    ).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fixtures", type=Path, help="only write the pages, to this folder")
    parser.add_argument("--million", action="store_true", help="the page of a million points, too")
    asked = parser.parse_args()
    folder = asked.fixtures or Path("build/explorer")
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{'page':<22} {'bytes':>11} {'seconds':>8}   decode in Node: median ms, 95% ms, multiply-adds")
    for make in (*PAGES, *([million] if asked.million else [])):
        start = time.perf_counter()
        path = make(folder)
        if path is None:
            continue
        took = time.perf_counter() - start
        print(f"{path.name:<22} {path.stat().st_size:>11,} {took:>8.1f}   {decode_time(path.with_suffix('.pack'))}", flush=True)


if __name__ == "__main__":
    main()
