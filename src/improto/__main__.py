"""``python -m improto``: see :mod:`improto._cli`."""

import signal
import sys

if __name__ == "__main__":
    # A filter ends without a word when its reader goes away or its user presses Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)

    from improto._cli import main

    sys.exit(main())
