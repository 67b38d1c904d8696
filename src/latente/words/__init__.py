"""Texts for users: a message is a key with values, and its sentence is in the catalogue of each language.

>>> found = Message("fit.slowed", rate=0.001)
>>> print(found)
training diverged and continued with a learning rate of 0.001
>>> print(found.said("es"))
el entrenamiento divergió y continuó con una tasa de aprendizaje de 0.001
"""

from latente.words.catalogue import (
    LANGUAGES,
    Texts,
    amount,
    capital,
    label,
    language,
    number,
    speaking,
    texts,
    word,
)
from latente.words.message import Message, key_of, listed, said, some, stored

__all__ = [
    "LANGUAGES", "Message", "Texts", "amount", "capital", "key_of", "label", "language", "listed", "number", "said", "some",
    "speaking", "stored", "texts", "word",
]  # fmt: skip
