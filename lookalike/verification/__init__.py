"""Verification: whether two candidate pictures show the same picture, and how they differ."""
