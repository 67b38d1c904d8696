"""Encoders x[B, ...] -> h[B, H] and decoders z[K, B, d] -> theta[K, B, P]."""
