"""What is said to people: a message is a key with values, and its sentence is in the catalogue of each language.

>>> found = Message("fit.slowed", rate=0.001)
>>> print(found)
training diverged and continued with a learning rate of 0.001
>>> print(found.said("es"))
el entrenamiento divergió y continuó con una tasa de aprendizaje de 0.001
"""

from latente.words.catalogue import LANGUAGES, Texts, amount, capital, label, language, speaking, texts, word
from latente.words.message import Message, key_of, said, some

__all__ = [
    "LANGUAGES", "Message", "Texts", "amount", "capital", "key_of", "label", "language", "said", "some", "speaking", "texts",
    "word",
]  # fmt: skip
