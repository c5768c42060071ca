"""The server: a hub that holds every agent's websocket, and the controllers behind it."""
