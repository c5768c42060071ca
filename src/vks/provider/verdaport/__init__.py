"""VerdaPort: one reserved port, the claims on it, and the proof that nobody else has it."""
