"""Image-to-image translation: a denoiser that sees a source image beside the one it denoises."""
