"""Exchanges, through ccxt."""
