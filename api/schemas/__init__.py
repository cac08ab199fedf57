"""What goes over the wire in version 1: it only grows."""
