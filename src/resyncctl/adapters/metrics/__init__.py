"""Numbers for a monitoring system."""
