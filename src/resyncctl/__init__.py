"""resyncctl brings a live trading system back to a proven state after it lost its exchange."""

__version__ = "0.1.0"
