"""Local features: key points of a picture, and the join that finds pictures which share some of them."""
