"""A model's graph for other programs and for the console; `Graph` has a method for each."""
