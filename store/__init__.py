"""What is kept: accounts, money, calls, settings."""
