"""How values are written: marks of missing values, numbers of any country, dates and times, words of either case."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from latente.data.text import moments

EVERYWHERE = frozenset(("", "?", "na", "n/a", "<na>", "nan", "null"))  # missing in each column, as pandas has it
ERRORS = frozenset(("#n/a", "#na", "#nv", "#n/d", "#n/a n/a", "1.#qnan", "-1.#ind"))
_ERROR = r"^(?:#[¡¿]?[A-ZÀ-Ý]+(?:/0)?[!?]|#{3,})$"  # of a spreadsheet in any language, or of a column that is too narrow
SIGNS = frozenset(("-", "--", "---", "–", "—", ".", "..", "...", "…", "*", "\\n", "(null)", "(blank)"))
AMONG_NUMBERS = frozenset(
    ("none", "nil", "n.d.", "nd", "n.a.", "n.a", "n.r.", "s/d", "s.d.", "s/n", "k.a.", "k. a.", "missing", "-nan", "<null>")
) | {"sin dato", "sin datos", "no disponible", "desconocido", "not available", "unknown", "unbekannt"}
_NONE = "None"  # in columns of text, where "none" may be a level
_MARKS = sorted(EVERYWHERE | ERRORS | SIGNS | AMONG_NUMBERS)

CURRENCIES = (
    r"(?:US|R|C|A|MX|HK)?\$|[€£¥₹₽₩]|USD|EUR|GBP|MXN|JPY|CHF|CAD|AUD|BRL|PLN|SEK|NOK|DKK|CNY|INR|zł|kr\.?|Kč|Fr\.?|S/\.?"
)
_BLANK = " \u00a0\u202f\u2009"  # plain, no-break, narrow no-break and thin
_GAPS = f"{_BLANK}’'"
_NUMBER = (
    rf"^(?P<open>\()?(?P<sign>[-+−–]?)[{_BLANK}]?(?P<prefix>{CURRENCIES})?(?P<space>[{_BLANK}]?)(?P<inner>[-+−–(]?)"
    rf"(?P<digits>\d(?:[\d.,{_GAPS}]*\d)?[.,]?|[.,]\d+)(?P<power>[eE][-+]?\d+)?"
    rf"(?P<gap>[{_BLANK}]?)(?P<suffix>%|‰|{CURRENCIES})?(?P<trailing>-)?(?P<close>\))?$"
)
_TYPED = re.compile(
    rf"{_NUMBER}|inf(inity)?|{moments.LIKE_A_DATE}|{moments.LIKE_A_TIME}".replace("?P<", "?P<t_"), re.IGNORECASE
)
_DATE = re.compile(moments.LIKE_A_DATE)
_CODE = r"^[+-]?0\d+$|^[+-]?0[xX][0-9a-fA-F]+$"
MIN_CODES = 3  # different texts of one length
_FEATURES = ("open", "sign", "prefix", "space", "inner", "digits", "power", "gap", "suffix", "trailing", "close")


def is_mark(text: str) -> bool:
    """Whether people write this where a value is missing.

    >>> [is_mark(text) for text in ("", " N/A ", "#DIV/0!", "-", "7", "none")]
    [True, True, True, True, False, True]
    """
    return text.strip().lower() in _MARKS or bool(re.match(_ERROR, text.strip()))


def may_be_marks(words: Any) -> Any:
    """Of an Arrow array of texts, which may be marks of missing values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    marks, hashes = pc.is_in(pc.utf8_lower(words), pa.array(_MARKS)), pc.starts_with(words, "#")
    return pc.or_(marks, pc.match_substring_regex(words, _ERROR)) if pc.any(hashes).as_py() else marks


def is_typed(text: str) -> bool:
    """Whether a text is a number, a date or a time in any notation.

    >>> [is_typed(text) for text in ("1.234,56 €", "(3.5)", "45%", "3-Jul-23", "10:30", "A11", "a")]
    [True, True, True, True, True, False, False]
    """
    return bool(_TYPED.fullmatch(text.strip()))


def is_date(text: str) -> bool:
    """Whether a text looks like a date."""
    return bool(_DATE.fullmatch(text.strip()))


Decimals = Annotated[int, msgspec.Meta(ge=-1, le=30)]


@dataclass(frozen=True)
class Notation:
    """How the values of a column are written.

    Attributes:
        kind: ``"number"``, ``"moment"`` (dates and times) or ``"words"`` (of either case).
        decimal, thousands, prefix, suffix: of numbers. negative: ``"-"``, ``"()"`` or ``"trailing"``.
        places: decimals of each number; -1 where they differ. up_to: the most that a number has; -1 where that says nothing.
        format: of dates and times, as ``strftime`` takes it. zone: what stands behind.
        words: the spelling that the levels of a column have.
    """

    kind: Literal["number", "moment", "words"]
    decimal: str = "."
    thousands: str = ""
    prefix: str = ""
    suffix: str = ""
    negative: str = "-"
    places: Decimals = -1
    up_to: Decimals = -1
    format: Annotated[str, msgspec.Meta(pattern="^[^']*$")] = ""  # it becomes a part of a query
    zone: str = ""
    words: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether it is how a program would write numbers."""
        return self.kind == "number" and not (self.thousands or self.prefix or self.suffix) and self.decimal == "."

    def write(self, column: Any) -> list[str | None]:
        """The values of an Arrow array as text; None where they are missing."""
        if self.kind == "moment":
            return moments.written(column, self.format, self.zone)
        if self.kind == "words":
            return _words(column, self.words)
        column = self.rounded(column)
        return [None if value is None else self._number(value) for value in column.to_pylist()]

    def rounded(self, column: Any) -> Any:
        """Numbers to as many decimals as the file had."""
        import pyarrow as pa
        import pyarrow.compute as pc

        return pc.round(column, self.up_to) if self.up_to >= 0 and pa.types.is_floating(column.type) else column

    def _number(self, value: float) -> str:
        if self.places < 0 and isinstance(value, float):
            text = f"{abs(value):,}" if 1e-4 <= abs(value) < 1e15 else str(abs(value))
            text = text.removesuffix(".0")
        else:
            text = f"{abs(value):,.{max(self.places, 0)}f}"
        swap = {",": self.thousands, ".": self.decimal}
        text = self.prefix + "".join(swap.get(sign, sign) for sign in text) + self.suffix
        if value >= 0 or not any(digit in "123456789" for digit in text):
            return text
        return f"({text})" if self.negative == "()" else f"{text}-" if self.negative == "trailing" else f"-{text}"


def _words(column: Any, words: tuple[str, ...]) -> list[str | None]:
    """Booleans and texts in the spelling that a column has."""
    spelling: dict[Any, str] = {_bare(word): word for word in words}
    keys = [value if value is None else _bare(str(value)) for value in column.to_pylist()]
    return [
        key if key is None else spelling.get(key, value) for key, value in zip(keys, map(str, column.to_pylist()), strict=True)
    ]


def marks_of(words: list[str], extra: tuple[str, ...], numeric: bool) -> set[str]:
    """Which of a column's distinct texts mark missing values.

    Args:
        words: without blanks around them.
        extra: marks that the user names.
        numeric: whether all others are numbers or dates.
    """
    found = {word for word in words if word in extra or word == _NONE or _is_certain(word)}
    others = [word for word in words if word not in found and word.lower() not in SIGNS]
    if numeric or all(any(map(str.isalnum, word)) for word in others):
        found |= {word for word in words if word.lower() in SIGNS}
    return found | {word for word in words if numeric and word.lower() in AMONG_NUMBERS}


def _is_certain(word: str) -> bool:
    return word.lower() in EVERYWHERE | ERRORS or bool(re.match(_ERROR, word))


# -------------------------------------------------------------------------------------------------------------- numbers


def numbers(words: Any, hint: str | None, known: bool = False) -> tuple[Any, Notation] | None:
    """Distinct texts (an Arrow array) as numbers, and how these are written; None where some are no numbers, or codes.

    Args:
        words: without blanks around them and without marks.
        hint: the decimal mark where a column does not tell: 1.234 is either.
        known: whether the column is known to hold numbers, so that 600 123 456 is one, and no telephone.
    """
    import pyarrow.compute as pc

    if not len(words) or pc.any(pc.match_substring_regex(words, _CODE)).as_py() or _is_too_long(words):
        return None
    plain = None if hint == "," and _is_grouped(words) else _plain(words)
    if plain is not None:
        return plain, Notation("number", **_places(words, "."))
    return None if not known and _are_codes(words) else _in_notation(words, hint)


def _are_codes(words: Any) -> bool:
    """Whether whole numbers in groups, all equally long, are telephones or addresses: 600 123 456, 192.168.100.101."""
    import pyarrow.compute as pc

    pattern = rf"^(?:\+\d{{1,3}}(?:[{_BLANK}]\d+)+|\d{{3}}(?:[{_BLANK}]\d{{3}}){{2,}}|\d{{1,3}}(?:\.\d{{1,3}}){{3}})$"
    alike = len(words) >= MIN_CODES and pc.min_max(pc.utf8_length(words)).as_py()
    return alike and alike["min"] == alike["max"] and bool(pc.all(pc.match_substring_regex(words, pattern)).as_py())


def _is_grouped(words: Any) -> bool:
    """Whether dots may stand between thousands: 1.234 and 17."""
    import pyarrow.compute as pc

    group = pc.match_substring_regex(words, r"^[-+]?(?:[1-9]\d{0,2}(?:\.\d{3})+|\d{1,3})$")
    return bool(pc.all(group).as_py() and pc.any(pc.match_substring(words, ".")).as_py())


def _is_too_long(words: Any) -> bool:
    """Whether whole numbers have more digits than a number can hold."""
    import pyarrow.compute as pc

    digits = moments.all_match(words, r"^[+-]?\d+$")
    return digits and pc.max(pc.utf8_length(words)).as_py() > 18 and _cast(words, "int64") is None


def _plain(words: Any) -> Any:
    """Numbers as programs write them: whole ones as int64, others as float64; None where some are none."""
    import pyarrow.compute as pc

    for kind in ("int64", "float64"):
        if (values := _cast(words, kind)) is not None:
            return values
    signed = pc.any(pc.starts_with(words, "+")).as_py()
    return _plain(pc.replace_substring_regex(words, r"^\+", "")) if signed else None


def _cast(words: Any, kind: str) -> Any:
    import pyarrow as pa

    try:
        words[: moments.FIRST].cast(kind)  # which fails much sooner than all
        return words.cast(kind)
    except pa.ArrowInvalid:
        return None


def _in_notation(words: Any, hint: str | None) -> tuple[Any, Notation] | None:
    import pyarrow.compute as pc

    parts = pc.extract_regex(_without_dashes(words), _NUMBER)
    if parts.null_count:
        return None
    part = {name: parts.field(name) for name in _FEATURES}
    affixes = {name: set(part[name].unique().to_pylist()) - {""} for name in ("prefix", "suffix")}
    opened = pc.or_(pc.equal(part["open"], "("), pc.equal(part["inner"], "("))
    closed = pc.all(pc.equal(opened, pc.equal(part["close"], ")"))).as_py()
    share = any("%" in suffix or "‰" in suffix for suffix in affixes["suffix"])
    if not closed or max(map(len, affixes.values())) > 1 or (share and pc.any(pc.equal(part["suffix"], "")).as_py()):
        return None
    marks = _separators(part["digits"], hint)
    if marks is None:
        return None
    thousands, decimal = marks
    text = pc.binary_join_element_wise(_without(part["digits"], thousands, decimal), part["power"], "")
    size = _plain(text)
    below = pc.or_(_is_minus(part["sign"]), _is_minus(part["inner"]))
    trailing = pc.and_(
        pc.equal(part["trailing"], "-"), pc.match_substring_regex(part["digits"], r"\d$")
    )  # 6'814.- is not below 0
    below = pc.or_(below, pc.or_(opened, trailing))
    values = None if size is None else pc.if_else(below, pc.negate(size), size)
    negative = "()" if pc.any(opened).as_py() else "trailing" if pc.any(trailing).as_py() else "-"
    gap, space = (_most_common(part[name], part[sign]) for name, sign in (("gap", "suffix"), ("space", "prefix")))
    suffix = "".join(gap + one for one in affixes["suffix"])
    prefix = "".join(one + space for one in affixes["prefix"])
    places = {} if pc.any(pc.not_equal(part["power"], "")).as_py() else _places(part["digits"], decimal)
    notation = Notation("number", decimal, thousands, prefix, suffix, negative, **places)
    return None if values is None else (values, notation)


def _most_common(gaps: Any, signs: Any) -> str:
    """The blank that most often stands by a sign."""
    import pyarrow.compute as pc

    found = Counter(pc.filter(gaps, pc.not_equal(signs, ""))[:1000].to_pylist())
    return found.most_common(1)[0][0] if found else ""


def _without_dashes(words: Any) -> Any:
    """Amounts with a zero where a spreadsheet writes "$ -" for it."""
    import pyarrow.compute as pc

    words = pc.replace_substring_regex(words, rf"^({CURRENCIES})[{_BLANK}]*-$", r"\1 0")
    return pc.replace_substring_regex(words, rf"^-[{_BLANK}]*({CURRENCIES})$", r"0 \1")


def _is_minus(signs: Any) -> Any:
    import pyarrow.compute as pc

    return pc.match_substring_regex(signs, "[-−–]")


def _separators(digits: Any, hint: str | None) -> tuple[str, str] | None:
    """What separates thousands, and decimals; None where nothing fits all."""
    import pyarrow.compute as pc

    present = set("".join(digits.unique().to_pylist()) if len(digits) < 10_000 else "".join(digits[:10_000].to_pylist()))
    gaps = [gap for gap in _GAPS if gap in present]
    fitting = []
    for decimal in (hint or ".", "," if (hint or ".") == "." else "."):
        other = "," if decimal == "." else "."
        for thousands in gaps or ([other] if other in present else [""]):
            group = rf"[1-9]\d{{0,2}}(?:{re.escape(thousands)}\d{{2,3}})*{re.escape(thousands)}\d{{3}}|" if thousands else ""
            pattern = rf"^(?:{group}\d*)(?:{re.escape(decimal)}\d*)?$"
            if pc.all(pc.match_substring_regex(digits, pattern)).as_py():
                fitting.append((thousands, decimal))
    return fitting[0] if fitting else None


def _without(digits: Any, thousands: str, decimal: str) -> Any:
    import pyarrow.compute as pc

    digits = pc.replace_substring(digits, thousands, "") if thousands else digits
    return digits if decimal == "." else pc.replace_substring(digits, decimal, ".")


def _places(words: Any, decimal: str) -> dict[str, Any]:
    """How many decimals all numbers have, and how many at most; nothing where some have powers of ten."""
    import pyarrow.compute as pc

    if pc.any(pc.match_substring_regex(words, "[eEnN]")).as_py():
        return {}
    place = pc.find_substring(words, decimal)
    behind = pc.if_else(pc.less(place, 0), 0, pc.subtract(pc.subtract(pc.binary_length(words), place), 1))
    low, high = pc.min_max(behind).as_py().values()
    return {"places": int(high) if low == high else -1, "up_to": int(high)}


def decimal_of(words: Any) -> str | None:
    """The decimal mark that a column's texts show; None where they may be read with either, or have no decimals."""
    found = [numbers(words, decimal) for decimal in (".", ",")]
    if found[0] is None or found[1] is None:
        return None
    (values, notation), (others, _) = found[0], found[1]
    shows = notation.places != 0 or notation.thousands
    return notation.decimal if shows and values.cast("float64").equals(others.cast("float64")) else None


# ---------------------------------------------------------------------------------------------------------------- words


def folded(words: list[str], counts: Mapping[str, int], known: Notation | None, flag: bool = False) -> dict[str, str] | None:
    """The spelling of each text where a column has two levels in several spellings (yes, No, YES), or one (X, x)
    where it is a flag, which is empty elsewhere; None where it has not.

    >>> folded(["yes", "No", "YES"], {"yes": 5, "No": 3, "YES": 2}, None)
    {'yes': 'yes', 'No': 'No', 'YES': 'yes'}
    """
    if known is not None:
        spelling = {_bare(word): word for word in known.words}
        return {word: spelling.get(_bare(word), word) for word in words}
    different = {_bare(word) for word in words}
    if len(different) not in (1, 2)[not flag :] or len(words) == len(different):
        return None
    often = sorted(words, key=lambda word: counts[word])
    spelling = {_bare(word): word for word in often}
    return {word: spelling[_bare(word)] for word in words}


def _bare(word: str) -> str:
    """A word without capitals and accents: Sí is si."""
    return "".join(sign for sign in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(sign))
