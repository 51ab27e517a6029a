"""Messages that leave this host."""
