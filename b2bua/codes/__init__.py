"""Calls that speak a code, which proves a number (SPEC 39)."""
