"""What is known of phones: measured there, predicted from here, or checked without one."""
