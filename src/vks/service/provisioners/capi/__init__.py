"""The Cluster API provisioner: pure functions from what is wanted to the objects that say so.

Nothing here does I/O or looks at a clock: the same input always gives the same objects, down to
the names of the templates, which are hashes of their content. A template that did not change
keeps its name, and Cluster API replaces machines only when the name in a reference changes.
"""
