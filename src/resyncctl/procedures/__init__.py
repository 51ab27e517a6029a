"""The imperative shell: gather, decide, act, confirm, record."""
