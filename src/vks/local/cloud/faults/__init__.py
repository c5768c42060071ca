"""A cloud that misbehaves on demand: slow, failing, rate-limited, losing its answers."""
