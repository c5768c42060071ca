"""NodePool: a number of like workers, spread evenly over zones."""
