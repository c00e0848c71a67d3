"""What this machine has installed and runs, and what of it does not fit. Loads neither models nor widgets."""
