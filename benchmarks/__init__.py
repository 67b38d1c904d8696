"""Figures of the library, measured by commands; a regular package, as others install packages of this name."""
