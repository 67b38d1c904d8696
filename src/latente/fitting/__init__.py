"""A fit from beginning to end: rows and settings, the training of the models, and what is measured when they are trained."""
