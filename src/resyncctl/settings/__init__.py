"""Configuration: from a TOML file and `RESYNCCTL_*` variables to core values."""
