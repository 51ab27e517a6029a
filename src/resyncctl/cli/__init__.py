"""The command line: parse, wire, run, render, exit."""
