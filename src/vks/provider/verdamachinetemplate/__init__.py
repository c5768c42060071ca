"""VerdaMachineTemplate: says what one machine of it offers, for scaling from zero."""
