"""What the cloud does after it has answered: recorded first, done by these, resumed after a kill."""
