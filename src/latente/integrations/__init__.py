"""Adapters to other tools; each needs the extra of its name."""
