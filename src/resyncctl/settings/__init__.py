"""Configuration files and environment, turned into core values."""
