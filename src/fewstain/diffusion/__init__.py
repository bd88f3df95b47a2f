"""p(image): the network, its noise schedule, its training and its samplers."""
