"""The practice exchange: an independent program that speaks real exchange dialects."""
