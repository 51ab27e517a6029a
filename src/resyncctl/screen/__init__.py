"""The screen: core values in, text out. No decisions are made here."""
