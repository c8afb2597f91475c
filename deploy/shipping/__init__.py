"""The pipeline from a checkpoint to files for phones, with measurements, limits and a report."""
