"""Exact Hamming joins of image hashes: which images lie within a radius of one another."""
