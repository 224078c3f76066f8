"""The product: legs, calls, flows and the rules that decide about them."""
