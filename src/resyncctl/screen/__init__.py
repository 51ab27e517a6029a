"""Core values in, text out. No decisions."""
