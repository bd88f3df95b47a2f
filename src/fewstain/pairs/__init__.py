"""Synthetic pairs of an image and its instance labels, and the filters that choose among them."""
