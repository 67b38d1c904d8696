"""What a part is: a module whose constructor arguments are its whole configuration, and a closed table of their names.

A file, a recipe or a command line names a part by its registered name; nothing is ever imported by name. A class of one's own
derives from :class:`Part`, carries a ``name``, and is handed to ``load(..., parts=[MyEncoder])``.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, get_type_hints

import msgspec
import numpy as np
from torch import nn

from latente.errors import ModelError
from latente.files import checked


class _Full(dict[str, float]):
    def __missing__(self, name: str) -> float:
        return 1.0


PARTS: dict[str, type[Part]] = {}
FULL: Mapping[str, float] = _Full()  # every strength at its end
PartClass = TypeVar("PartClass", bound="type[Part]")
FORMER_NAMES = {"cells": "histogram", "cells-encoder": "bins-encoder"}  # of parts
MAX_COUNT = 2**31  # of whatever a part has several


class _RecordsArguments(type):
    """Keeps the constructor's arguments, so that "to and from JSON" is written once for all parts."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        part = super().__call__(*args, **kwargs)
        bound = inspect.signature(cls.__init__).bind(part, *args, **kwargs)  # type: ignore[misc]
        bound.apply_defaults()
        part.arguments = {key: bound.arguments[key] for key in constructor_arguments(cls)}
        return part


def constructor_arguments(cls: type) -> list[str]:
    """Names of what a part is made of; a part without a constructor of its own has none."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    return [parameter.name for parameter in parameters if parameter.kind in named and parameter.name != "self"]


class Part(nn.Module, metaclass=_RecordsArguments):
    """Base of all parts. ``name`` is what a file calls it; ``arguments`` is how it was made.

    Whatever a part learns or fits is a parameter or a buffer, so that it is stored with the weights.

    Attributes:
        follows: the strengths that it heeds, by name, and over what share of the run each grows from 0 to 1 unless the schedule
            says otherwise.
        strength: what they are at this moment, set before each pass.
        no_context: why it goes with no context; empty where it does.
        needs_context: whether it is nothing without a context.
        own_rate: factor on the learning rate of its parameters, where these are a group with a loss of their own (a critic).

    >>> class Doubled(Part):
    ...     name = "doubled"
    ...     def __init__(self, factor: float = 2.0) -> None:
    ...         super().__init__()
    ...         self.factor = factor
    >>> Doubled(factor=3.0).choice()
    Choice(name='doubled', arguments={'factor': 3.0})
    """

    name: ClassVar[str] = ""
    follows: ClassVar[Mapping[str, float]] = {}
    own_rate: ClassVar[float | None] = None
    no_context: ClassVar[str] = ""
    needs_context: ClassVar[bool] = False
    strength: Mapping[str, Any] = FULL
    arguments: dict[str, Any]

    def choice(self) -> Choice:
        """How to make this part again (without its weights)."""
        return Choice(self.name, dict(self.arguments), type(self))


@dataclass(frozen=True)
class Choice:
    """A part by name, with the arguments that are not left to the data. ``own`` is the class where it is the user's."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    own: type[Part] | None = field(default=None, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Plain values only, as stored in a file."""
        return {"name": self.name, "arguments": dict(self.arguments)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Choice:
        """The inverse of :meth:`to_json`."""
        choice: Choice = checked(value, cls, "the choice of a part")
        return choice


def choose(part: str | type[Part], **arguments: Any) -> Choice:
    """Name a part (or hand over a class of one's own) and the arguments that should not be left to the data.

    >>> choose("normal", sigma="shared")
    Choice(name='normal', arguments={'sigma': 'shared'})
    """
    if part in FORMER_NAMES:
        warnings.warn(f"the part {part!r} is now {FORMER_NAMES[part]!r}", FutureWarning, stacklevel=2)
        part = FORMER_NAMES[part]
    return Choice(part, arguments) if isinstance(part, str) else Choice(part.name, arguments, part)


def register(cls: PartClass) -> PartClass:
    """Enter a part of the library into the closed table; a name can be taken once."""
    if not cls.name or cls.name in PARTS:
        raise ModelError(f"a part needs a name of its own; {cls.name!r} is empty or taken")
    PARTS[cls.name] = cls
    return cls


def part_class(name: str, own: Iterable[type[Part]] = ()) -> type[Part]:
    """The class behind a name.

    Raises:
        ModelError: nobody registered the name; the message lists those that exist.
    """
    known = {**PARTS, **{cls.name: cls for cls in own}}
    if name not in known:
        raise ModelError(f"there is no part called {name!r}; there are {', '.join(sorted(known))}")
    return known[name]


def names_of(base: type[Part]) -> list[str]:
    """Names of the registered parts of one kind."""
    return sorted(name for name, cls in PARTS.items() if issubclass(cls, base))


def build(choice: Choice, own: Iterable[type[Part]] = (), **sizes: Any) -> Any:
    """Make a part: its chosen arguments, and of ``sizes`` (what the data decides) those that its constructor asks for.

    Raises:
        ModelError: an argument that the part does not have, or a value that it refuses.
    """
    cls = choice.own or part_class(choice.name, own)
    accepted = constructor_arguments(cls)
    unknown = [key for key in choice.arguments if key not in accepted]
    if unknown:
        possible = ", ".join(accepted) or "none"
        raise ModelError(f"{choice.name!r} has no argument {unknown[0]!r}; it has: {possible}")
    arguments = checked_arguments(cls, choice.arguments, repr(choice.name))
    if PARTS.get(choice.name) is cls:
        _refuse_impossible(choice.name, arguments)
    left = {key: value for key, value in sizes.items() if key in accepted}
    try:
        return cls(**{**left, **arguments})
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RuntimeError, AssertionError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{choice.name!r} can't be made from {_short(arguments)}: {error}") from error


def checked_arguments(make: type, arguments: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Arguments as the annotations of a constructor have them: lists as tuples where it asks for tuples, and so on.

    Raises:
        ModelError: one has another type.
    """
    known = annotations_of(make)
    found = {}
    for key, value in arguments.items():
        try:
            found[key] = msgspec.convert(value.item() if isinstance(value, np.generic) else value, known.get(key, Any))
        except (msgspec.ValidationError, RecursionError) as error:
            raise ModelError(f"{key} of {what} can't be {value!r:.100}: {error}") from error
    return found


def annotations_of(make: type) -> dict[str, Any]:
    """Types of a constructor's arguments; none where they can't be told, as those of a class inside a function."""
    try:
        return get_type_hints(make.__init__)  # type: ignore[misc]
    except (NameError, AttributeError):
        return {}


def _refuse_impossible(name: str, arguments: Mapping[str, Any]) -> None:
    """What no part of the library takes: numbers that are not finite, and counts or sizes below 0."""
    for key, value in arguments.items():
        for number in _numbers(value):
            if not (0 <= number <= MAX_COUNT if isinstance(number, int) else math.isfinite(number)):
                raise ModelError(f"{key} of {name!r} can't hold {number!r:.20}")


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, (int, float)):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _numbers(each)


def _short(arguments: Mapping[str, Any]) -> str:
    return f"{dict(arguments)!r:.200}"
