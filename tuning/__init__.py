"""Base model, adapters, training and decoding. Knows nothing of documents or ratings."""
