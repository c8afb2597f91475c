"""The whole pipeline from a checkpoint to measured files and their report."""
