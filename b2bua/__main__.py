"""`python -m b2bua`."""

import signal

signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # a server asked for its load while it still starts shall not die

from b2bua.cli.main import main  # noqa: E402

main()
