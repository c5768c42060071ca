"""Phase 1: what would happen, and why it must not. Nothing is touched."""
