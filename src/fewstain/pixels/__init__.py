"""From the denoiser's features to instance masks: features, ensemble, decoder."""
