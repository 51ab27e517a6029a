"""One folder per outside thing. Siblings do not know each other."""
