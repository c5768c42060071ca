"""Our controller runtime against kopf and controller-runtime, on a real kube-apiserver.

All three do the same work: put a finalizer on every new object and write its generation into
its status, again after every change.
"""
