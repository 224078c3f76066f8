"""SIP as a sans-IO core (RFC 3261) under a thin UDP shell."""
