"""`fewstain export`: masks and synthetic pairs, as other programs read them or train on them."""
