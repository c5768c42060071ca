#!/bin/sh
# Answers every request with who and where the pod is. POD, NODE and ZONE come from its spec.
client=${REMOTE_ADDR#\[::ffff:}
printf 'Content-Type: text/plain\r\n\r\n'
printf 'Hello %s, this is %s' "${client%\]}" "${POD:-$(hostname)}"
test -z "${NODE:-}" || printf ' on %s' "$NODE"
test -z "${ZONE:-}" || printf ' in %s' "$ZONE"
printf '.\n'
