"""``python -m suite`` and the command ``suite``."""

import sys


def main() -> int:
    """Run the command line; returns the exit code."""
    from suite.cli import main as command

    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
