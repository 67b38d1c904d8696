"""A complete fit: rows and settings, the training of the models, and the figures measured afterwards."""
