"""The REST API. Stateless: everything that it knows is custom resources and the cloud's answers."""
