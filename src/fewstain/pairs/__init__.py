"""Synthetic image–label pairs, and the segmenter trained on them and on the labels."""
