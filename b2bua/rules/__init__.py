"""What is decided: pure functions of values, each with its table of tests. Coroutines only obey."""
