"""Text files as people have them: encoding, layout and notation are found, said in notes, and can be overridden."""

from latente.data.text.layout import FOUND, Layout, Reading, is_encoding
from latente.data.text.notation import Notation
from latente.data.text.reader import TextTable, read_rows, read_text
from latente.data.text.writer import for_suffix, write_text_table

__all__ = [
    "FOUND",
    "Layout",
    "Notation",
    "Reading",
    "TextTable",
    "for_suffix",
    "is_encoding",
    "read_rows",
    "read_text",
    "write_text_table",
]
