"""The certificate: continuity and completeness of a latent space, information in the code, and copies of training rows.

The measures are functions of plain arrays; :mod:`latente.certificate.certify` computes these from a model and its rows.
"""

from latente.certificate.certificate import Certificate
from latente.certificate.certify import certify
from latente.certificate.estimates import Estimate
from latente.certificate.verdicts import Verdict

__all__ = ["Certificate", "Estimate", "Verdict", "certify"]
