"""The latent explorer: a model as one page that decodes by itself, exported, served, or shown in a notebook."""
