"""fp32 -> int8: calibrated, and judged layer by layer; fine-tuning that knows of it."""
