"""How good a segmentation is: matching of instances, scores, counts."""
