"""Parts of models: modules that are defined by their constructor arguments, and the registry of their names.

A file, a recipe or a command line names a part by its registered name; nothing is ever imported by name. A user's own class
derives from :class:`Part`, has a ``name``, and is passed to ``load(..., parts=[MyEncoder])``.
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

from latente.errors import ModelError, alternatives
from latente.files import checked


class _Full(dict[str, float]):
    def __missing__(self, name: str) -> float:
        return 1.0


PARTS: dict[str, type[Part]] = {}
FULL: Mapping[str, float] = _Full()  # all strengths at their final value
PartClass = TypeVar("PartClass", bound="type[Part]")
FORMER_NAMES = {"cells": "histogram", "cells-encoder": "bins-encoder"}  # of parts
MAX_COUNT = 2**31  # largest count of anything in a part


class _RecordsArguments(type):
    """Stores the constructor's arguments, so that conversion to and from JSON is written once for all parts."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        part = super().__call__(*args, **kwargs)
        bound = inspect.signature(cls.__init__).bind(part, *args, **kwargs)  # type: ignore[misc]
        bound.apply_defaults()
        part.arguments = {key: bound.arguments[key] for key in constructor_arguments(cls)}
        return part


def constructor_arguments(cls: type) -> list[str]:
    """Names of a part's constructor arguments."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    return [parameter.name for parameter in parameters if parameter.kind in named and parameter.name != "self"]


class Part(nn.Module, metaclass=_RecordsArguments):
    """Base of all parts. ``name`` is its name in files; ``arguments`` are those of its constructor.

    Everything that a part learns or fits is a parameter or a buffer, so that it is stored with the weights.

    Attributes:
        follows: names of the scheduled strengths that it uses, and for each the share of the run over which it grows from 0 to
            1, unless the schedule changes that.
        strength: their current values, set before each forward pass.
        no_context: why it can't be combined with a context; empty if it can.
        needs_context: whether it requires a context.
        couples_rows: whether the loss of a row depends on the other rows of its batch.
        own_rate: factor on the learning rate of its parameters, if these have their own loss (a critic).

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
    couples_rows: bool = False
    strength: Mapping[str, Any] = FULL
    arguments: dict[str, Any]

    def choice(self) -> Choice:
        """The name and arguments from which this part can be built (without its weights)."""
        return Choice(self.name, dict(self.arguments), type(self))


@dataclass(frozen=True)
class Choice:
    """A part by name, with the arguments that are not set from the data. ``own`` is the class if it is the user's."""

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
    """Choose a part by name (or a user's own class), with the arguments that should not be set from the data.

    >>> choose("normal", sigma="shared")
    Choice(name='normal', arguments={'sigma': 'shared'})
    """
    if part in FORMER_NAMES:
        warnings.warn(f"the part {part!r} is now {FORMER_NAMES[part]!r}", FutureWarning, stacklevel=2)
        part = FORMER_NAMES[part]
    return Choice(part, arguments) if isinstance(part, str) else Choice(part.name, arguments, part)


def register(cls: PartClass) -> PartClass:
    """Add a part to the registry; names are unique."""
    if not cls.name or cls.name in PARTS:
        raise ModelError(f"a part needs a unique name; {cls.name!r} is empty or taken")
    PARTS[cls.name] = cls
    return cls


def part_class(name: str, own: Iterable[type[Part]] = ()) -> type[Part]:
    """The class with a name.

    Raises:
        ModelError: there is none; the message lists those that exist.
    """
    known = {**PARTS, **{cls.name: cls for cls in own}}
    if name not in known:
        raise ModelError(f"there is no part called {name!r}; {alternatives(name, sorted(known))}")
    return known[name]


def names_of(base: type[Part]) -> list[str]:
    """Names of the registered parts of one kind."""
    return sorted(name for name, cls in PARTS.items() if issubclass(cls, base))


def build(choice: Choice, own: Iterable[type[Part]] = (), **sizes: Any) -> Any:
    """Build a part from its chosen arguments and those of ``sizes`` (set from the data) that its constructor has.

    Raises:
        ModelError: the part does not have an argument, or refuses its value.
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
    known = annotations_of(cls)  # a number of the part's own may have the name of something else, as levels of a grid have
    left = {key: value for key, value in sizes.items() if key in accepted and (known.get(key) is not int or is_count(value))}
    try:
        return cls(**{**left, **arguments})
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RuntimeError, AssertionError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{choice.name!r} can't be made from {_short(arguments)}: {error}") from error


def checked_arguments(make: type, arguments: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Arguments converted to the types in the annotations of a constructor, such as lists to tuples.

    Raises:
        ModelError: an argument has another type.
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
    """Types of a constructor's arguments; empty if they can't be resolved, as for a class inside a function."""
    try:
        return get_type_hints(make.__init__)  # type: ignore[misc]
    except (NameError, AttributeError):
        return {}


def _refuse_impossible(name: str, arguments: Mapping[str, Any]) -> None:
    """Refuse what no part of the library takes: numbers that are not finite, and negative counts or sizes."""
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


def is_count(value: Any) -> bool:
    """Whether this is a whole number."""
    return isinstance(value, (int, np.integer))


def _short(arguments: Mapping[str, Any]) -> str:
    return f"{dict(arguments)!r:.200}"
