"""VerdaPortPool: one VerdaPort per slot, no more and no fewer."""
