"""Put originals and copies apart in another folder: plan, check, journal, then act."""
