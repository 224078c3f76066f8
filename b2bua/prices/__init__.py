"""Tables of rates, how a price comes about, and what is left of it."""
