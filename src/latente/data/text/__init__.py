"""Text files as people have them: encoding, layout and notation are found, said in notes, and can be overridden."""

from latente.data.text.layout import FOUND, Layout, Reading
from latente.data.text.notation import Notation
from latente.data.text.reader import TextTable, read_rows, read_text
from latente.data.text.writer import write_text_table

__all__ = ["FOUND", "Layout", "Notation", "Reading", "TextTable", "read_rows", "read_text", "write_text_table"]
