"""The step as compiled code for this processor: torch's ahead-of-time compiler around operators of our own."""
