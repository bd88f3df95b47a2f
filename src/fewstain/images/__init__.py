"""Files <-> arrays: read, normalise, tile, write."""
