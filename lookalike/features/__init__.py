"""What an image is reduced to: hashes, quality facts and a small proxy picture."""
