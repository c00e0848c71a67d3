"""Through time: what a model does while it trains, written as it goes, and read again."""
