"""Published results that Latente measures again: ``lt.reproductions()``, ``lt.reproduce(NAME)``, ``latente reproduce NAME``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from latente.catalogue import recipe
from latente.model.parts import choose
from latente.studies.reproductions import frame
from latente.studies.reproductions.frame import Claim, Reproduced, Reproduction, Scale
from latente.studies.reproductions.measures import (
    at_random,
    by_labels_alone,
    by_pca,
    by_recipe,
    classified,
    completeness,
    digits_of_fonts,
    dynamic_mnist,
    from_columns,
    grey_mnist,
    information_gap,
    labelled_digits,
    nll,
    shapes,
)
from latente.studies.setup import silent

__all__ = ["REPRODUCTIONS", "Claim", "Reproduced", "Reproduction", "Scale", "reproduce", "reproductions"]

NLL = "-log p(x), nats per picture"
OF_MNIST = "MNIST with pixels binarised anew in each step, 784-200-200-50, batches of 20, the same steps for all; "
BETA, MIXTURE = 6.0, choose("mixture", components=10)
QUICK_NLL, FULL_NLL = Scale(60_000, 1, 500, 200), Scale(60_000, 600, 10_000, 5000)
DRAWN = Scale(3000, 40, 1000, seeds=3)


def _nll(
    name: str,
    recipe_name: str,
    label: str,
    summary: str,
    reference: str,
    margin: float = 0.0,
    **changes: Any,
) -> Reproduction:
    """A recipe against the VAE."""
    entries = {"VAE": nll("vae"), label: nll(recipe(recipe_name, **changes.pop("arguments", {})))}
    protocol = OF_MNIST + "-log p of binarised test pictures by importance weighting"
    return Reproduction(
        name, summary, reference, protocol, ("vae", recipe_name), dynamic_mnist, entries, (Claim(label, "VAE", margin),),
        QUICK_NLL, FULL_NLL, NLL, **changes,
    )  # fmt: skip


_ALL = (
    Reproduction(
        "iwae",
        "more importance samples in training give a higher likelihood",
        "Burda, Grosse and Salakhutdinov 2016, table 1; rerun by Tucker et al. 2019",
        OF_MNIST + "-log p of binarised test pictures by importance weighting",
        ("vae", "iwae"),
        dynamic_mnist,
        {"VAE": nll("vae"), "IWAE-5": nll(recipe("iwae", samples=5)), "IWAE-50": nll(recipe("iwae", samples=50))},
        (Claim("IWAE-5", "VAE"), Claim("IWAE-50", "IWAE-5")),
        QUICK_NLL._replace(rows=30_000),
        FULL_NLL,
        NLL,
        published={"VAE": 86.76, "IWAE-5": 85.54, "IWAE-50": 84.78},
        tolerance=0.7,
    ),
    _nll(
        "vamp-prior",
        "vamp-vae",
        "VampPrior",
        "a mixture of posteriors of pseudo-inputs as the prior",
        "Tomczak and Welling 2018 (500 components and other networks: their value is for reference)",
        arguments={"components": 100},
        published={"VampPrior": 82.43},
    ),
    _nll(
        "flow-prior",
        "flow-prior-vae",
        "flow prior",
        "a flow as the prior",
        "Chen et al. 2017; the paper has other networks and only the order is compared",
    ),
    _nll(
        "ladder",
        "ladder-vae",
        "three levels",
        "a hierarchy of codes, by at least 1 nat",
        "Sønderby et al. 2016; the paper has other networks and only the order is compared",
        margin=1.0,
    ),
    Reproduction(
        "beta-tcvae",
        "total correlation, and not the whole rate, has to be weighed for a disentangled code",
        "Chen et al. 2018, figures 3 and 4: the order",
        "drawn pictures of shapes (shape, place, size, rotation, colour), 768-128-128-8, the same steps and beta for all; MIG "
        "of other pictures",
        ("vae", "beta-vae", "beta-tcvae"),
        shapes,
        {
            "VAE": information_gap("vae"),
            "beta-VAE": information_gap(recipe("beta-vae", beta=BETA)),
            "beta-TCVAE": information_gap(recipe("beta-tcvae", beta=BETA)),
        },
        (Claim("beta-TCVAE", "VAE"), Claim("beta-TCVAE", "beta-VAE")),
        Scale(4000, 60, 1000, seeds=5),
        Scale(50_000, 60, 2000, seeds=5),
        "MIG",
        smaller=False,
    ),
    Reproduction(
        "fitted-priors",
        "codes drawn from a learned density give more complete pictures than those of a Gaussian",
        "van den Oord et al. 2017, Mentzer et al. 2024, Dai and Wipf 2019: the order",
        "digits drawn from fonts, 14 x 14 pixels, d = 16; completeness C of new pictures",
        ("vae", "two-stage-vae", "fsq", "vq-vae"),
        digits_of_fonts,
        {
            "VAE, Gaussian": completeness("vae", "completeness", latent_dim=16),
            "VAE, flow": completeness("vae", prior="flow", latent_dim=16),
            "two-stage VAE": completeness("two-stage-vae", latent_dim=16),
            "FSQ": completeness("fsq", latent_dim=16),
            "VQ-VAE": completeness("vq-vae", latent_dim=16),
        },
        tuple(Claim(name, "VAE, Gaussian") for name in ("VAE, flow", "two-stage VAE", "FSQ", "VQ-VAE")),
        DRAWN,
        Scale(20_000, 60, 2000, seeds=5),
        "completeness C",
        smaller=False,
    ),
    Reproduction(
        "rae",
        "a regularised autoencoder with a fitted mixture draws pictures as well as a VAE does",
        "Ghosh et al. 2020, table 1: the order",
        "MNIST, 784-256-128-16, codes from a mixture of 10 normal distributions fitted after training; completeness C of new "
        "pictures",
        ("vae", "rae-l2", "rae-gp", "rae-sn"),
        grey_mnist,
        {
            label: completeness(name, prior=MIXTURE, latent_dim=16, hidden=(256, 128))
            for label, name in {"VAE": "vae", "RAE-L2": "rae-l2", "RAE-GP": "rae-gp", "RAE-SN": "rae-sn"}.items()
        },
        tuple(Claim(name, "VAE") for name in ("RAE-L2", "RAE-GP", "RAE-SN")),
        Scale(5000, 20, 1000, seeds=2),
        Scale(60_000, 50, 10_000, seeds=5),
        "completeness C",
        smaller=False,
    ),
    Reproduction(
        "m2",
        "rows without label help to classify",
        "Kingma et al. 2014, table 1: the order",
        "digits drawn from fonts, 14 x 14 pixels, 100 of them with a label, 196-256-4; errors of other digits",
        ("m2",),
        labelled_digits,
        {
            "labels alone": by_labels_alone((256,)),
            "M2": classified("m2", hidden=(256,), latent_dim=4, batch_size=32, early_stopping=False),
        },
        (Claim("M2", "labels alone"),),
        Scale(3000, 20, 1000, seeds=2),
        Scale(50_000, 50, 10_000, seeds=5),
        "share of errors",
    ),
    Reproduction(
        "concrete-autoencoder",
        "learned columns reconstruct all others better than those of PCA, or random ones",
        "Abid, Balin and Zou 2019, table 1 (k = 50 there): the order",
        "MNIST, k = 20 pixels; all pixels of test pictures by linear regression on these",
        ("concrete-autoencoder",),
        grey_mnist,
        {
            "concrete autoencoder": from_columns(by_recipe("concrete-autoencoder", 20, hidden=(64,))),
            "PCA loadings": from_columns(by_pca(20)),
            "random": from_columns(at_random(20)),
        },
        (Claim("concrete autoencoder", "PCA loadings"), Claim("concrete autoencoder", "random")),
        Scale(10_000, 30, 2000),
        Scale(60_000, 100, 10_000),
        "mean squared error of a pixel",
    ),
)
REPRODUCTIONS = {each.name: each for each in _ALL}


def reproductions() -> list[Reproduction]:
    """The published results that can be measured again.

    >>> [each.name for each in reproductions()][:3]
    ['iwae', 'vamp-prior', 'flow-prior']
    """
    return list(REPRODUCTIONS.values())


def reproduce(
    name: str,
    *,
    quick: bool = False,
    device: str = "auto",
    random_state: Any = 0,
    progress: Callable[[str], None] = silent,
) -> Reproduced:
    """Measure a published result again.

    Args:
        name: one of :func:`reproductions`.
        quick: a few minutes on two cores, in which only the order of the methods is judged; otherwise as long as in the paper,
            for which a GPU is needed.
        device: as of :class:`latente.VAE`.
        random_state: the first seed. progress: called with the name of each entry before it is measured.

    Returns:
        Published values, ours, and whether each claim is reached: the paired difference has the margin, and exceeds two of its
        standard errors. The full form also compares values with published ones.

    Raises:
        ModelError: there is no such reproduction.
        DataError: its data are missing. MNIST does not come with Latente: LATENTE_DATA names the folder with mnist.npz.

    >>> reproduce("iwea")
    Traceback (most recent call last):
    latente.errors.ModelError: there is no reproduction called 'iwea'; ...
    """
    return frame.run(frame.found(name, REPRODUCTIONS), quick, device=device, random_state=random_state, progress=progress)
