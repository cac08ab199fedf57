"""The lookalike command and the wiring of the parts."""
