"""The way in for `resyncctl` and `python -m resyncctl`."""


def main() -> None:
    """Run the command line."""
    from resyncctl.cli.app import run

    run()


if __name__ == "__main__":
    main()
