"""What differs between the engine's memory and the exchange, one comparer per subject."""
