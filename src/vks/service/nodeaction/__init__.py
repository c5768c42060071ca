"""What is done to one node because a user asked for it: cordon, drain, recreate, delete.

The Operation is the intent: whoever finds it unfinished goes on with it.
"""
