"""The thin web layer: routes, calls, errors, validation of bodies, pages."""
