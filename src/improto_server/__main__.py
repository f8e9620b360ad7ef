"""``python -m improto_server``: the same as ``improto``."""

from improto_server.cli import main

if __name__ == "__main__":
    main()
