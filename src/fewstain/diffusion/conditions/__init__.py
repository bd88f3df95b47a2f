"""Denoisers that take conditions by cross-attention: words, or a set of images."""
