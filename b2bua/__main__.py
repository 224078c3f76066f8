"""`python -m b2bua`."""

from b2bua.cli import main

main()
