"""The four variants, votes, statistics and verdict. Uses `rag` and `tuning`."""
