"""``python -m latente``: the command line."""

from latente.cli import main

if __name__ == "__main__":
    main()
