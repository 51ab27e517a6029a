"""The way in for `resyncctl` and `python -m resyncctl`.

Promises: the version, the overview and the table of exit codes are printed without loading the
command line, so they appear at once even on a loaded host.
"""

import sys


def main() -> None:
    """Run the command line."""
    words = sys.argv[1:]
    if words in (["--help"], ["-h"], ["help"]):
        from resyncctl.cli.help_text import overview

        sys.stdout.write(overview())
    elif words == ["help", "exit-codes"]:
        from resyncctl.cli.help_text import exit_codes

        sys.stdout.write(exit_codes())
    elif words == ["--version"]:
        from resyncctl import __version__

        sys.stdout.write(f"resyncctl {__version__}\n")
    else:
        from resyncctl.cli.app import run

        run()


if __name__ == "__main__":
    main()
