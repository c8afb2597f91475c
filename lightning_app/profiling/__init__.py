"""Profile training steps and data loading."""
