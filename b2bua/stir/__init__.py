"""STIR/SHAKEN: calls whose number is signed by who vouches for it (RFC 8224, 8225, 8226, 8588)."""
