"""Diffusion in the latents of a variational autoencoder (Rombach et al., CVPR 2022)."""
