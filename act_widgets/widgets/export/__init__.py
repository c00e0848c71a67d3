"""A page that shows what the explorer shows, without a kernel and without the network."""
