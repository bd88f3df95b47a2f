"""ControlNet: a condition that a frozen denoiser is made to follow, a layout of objects or edges."""
