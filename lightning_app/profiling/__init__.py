"""Where the time of a training step and of data loading goes."""
