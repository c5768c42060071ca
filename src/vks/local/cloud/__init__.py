"""The local Verda: the cloud's API on one port, wire-compatible where Verda is OpenStack.

Start it with `python -m vks.local.cloud`; see `config` for what it is told and `seed` for
what it holds when it starts for the first time.
"""
