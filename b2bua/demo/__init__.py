"""The demo: a simulated phone and a simulated PSTN, real user agents on real loopback UDP, built on our own stack."""
