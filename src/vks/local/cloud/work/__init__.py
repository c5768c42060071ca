"""What the cloud does after it has answered: recorded first, and resumed after a kill."""
