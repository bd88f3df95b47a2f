"""Methods to compare with; each predicts the same pixel maps, and so shares the decoder and the scores."""
