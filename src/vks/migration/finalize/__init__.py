"""Phase: what reminds of the legacy provisioner goes. There is no way back from here."""
