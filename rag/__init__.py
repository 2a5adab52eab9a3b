"""Documents to passages. Knows nothing of models that chat."""
