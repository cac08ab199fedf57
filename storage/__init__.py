"""All that lasts, and the only speaker of SQL."""
