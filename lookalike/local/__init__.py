"""Local features: key points of a picture, and the join that finds pictures sharing some in the same arrangement."""
