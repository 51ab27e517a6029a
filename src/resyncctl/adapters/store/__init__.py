"""What this host remembers: journal, runs, audit, store, gate, lease, credentials."""
