"""Parse, wire, run, render, exit."""
