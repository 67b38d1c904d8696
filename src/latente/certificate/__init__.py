"""The certificate: whether a latent space is continuous and complete, what its code keeps, and whether it repeats its rows.

The measures are functions of plain arrays; :mod:`latente.certificate.certify` draws those from a model and its rows.
"""

from latente.certificate.certificate import Certificate
from latente.certificate.certify import certify
from latente.certificate.estimates import Estimate
from latente.certificate.verdicts import Verdict

__all__ = ["Certificate", "Estimate", "Verdict", "certify"]
