"""The explorer in a notebook: the same page, in a frame of its own.

A frame with the page in it needs no package beside this one, shows in Jupyter, VS Code and Colab, is kept with the notebook,
and works when the notebook is read without a kernel. A widget would add a line back to the kernel, which nothing here uses.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latente.explorer.export import packed_model, page
from latente.explorer.pack import pack
from latente.files import write_text

if TYPE_CHECKING:
    from latente.estimator import VAE


class Explorer:
    """A page, shown as what it is in a notebook; :meth:`save` writes it."""

    def __init__(self, text: str, height: int) -> None:
        self.text, self.height = text, height

    def save(self, path: str | Path) -> Path:
        """Write the page as one offline file, atomically."""
        return write_text(path, self.text)

    def _repr_html_(self) -> str:
        # Without "allow-same-origin" the page can touch nothing of the notebook's.
        frame = f'sandbox="allow-scripts" style="width: 100%; height: {self.height}px; border: 0" title="Latente"'
        return f'<iframe {frame} srcdoc="{html.escape(self.text, quote=True)}"></iframe>'

    def __repr__(self) -> str:
        return f"<the latent explorer: a page of {len(self.text):,} bytes; show it in a notebook, or save(path) it>"


def explore(vae: VAE, data: Any = None, *, with_rows: bool = False, compare: VAE | None = None, height: int = 760) -> Explorer:
    """Show a model's latent space, its decoder at hand, in a notebook.

    Args:
        vae: a fitted model.
        data: rows by which it is measured where codes lie; by default those of the fit, if they are still in memory.
        with_rows: put these rows and their codes into the page, and so into the notebook, readable by anyone who has it.
        compare: a second model, of the same columns, to stand beside it.
        height: of the frame, in pixels.

    >>> import numpy as np
    >>> from latente import VAE
    >>> vae = VAE(latent_dim=2, max_epochs=1, random_state=0).fit(np.random.default_rng(0).normal(size=(50, 3)))
    >>> path = explore(vae).save("page.html")  # doctest: +SKIP
    """
    vaes = [vae] if compare is None else [vae, compare]
    return Explorer(page(pack(vae.recipe_.name, [packed_model(each, data=data, with_rows=with_rows) for each in vaes])), height)
