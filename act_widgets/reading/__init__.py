"""Keep what a pass over the model gave, and run the model only for what is missing."""
