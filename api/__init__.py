"""HTTP: version 1, and later the compatible faces."""
