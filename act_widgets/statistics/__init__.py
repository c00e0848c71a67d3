"""What many samples have in common and what tells them apart, in numbers; NumPy and scikit-learn only."""
