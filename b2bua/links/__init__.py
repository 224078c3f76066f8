"""Signed links to CallNow pages (SPEC A12.7)."""
