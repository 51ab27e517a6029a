"""The deep profile of Binance: spot, and USD-M futures with their conditional orders."""
