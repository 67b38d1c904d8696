"""Figures, pages and run folders of a trained model."""
