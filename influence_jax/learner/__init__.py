"""Acting and learning: the parts of an experiment, and one update of them."""
