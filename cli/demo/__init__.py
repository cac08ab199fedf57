"""The demo: sample photos, copies made of them, and the groups that must come out."""
