"""The parts of a variational autoencoder and what composes them. Knows rows and fields, never where they came from."""
