"""DatasetGAN: a generator whose features label the images it paints; Zhang et al., CVPR 2021."""
