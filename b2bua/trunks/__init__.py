"""Trunks: registered, asked whether they are there, loaded no more than they allow, and tried out by hand."""
