"""Scale: many clusters and large ones, on hollow servers, beside upstream's in-memory provider."""
