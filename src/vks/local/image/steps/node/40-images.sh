# Load the control plane's container images, so that no node pulls them. The content store
# keeps the layers, the snapshotter their unpacked files.
started=
if ! ctr version >/dev/null 2>&1; then
	containerd --config /etc/containerd/config.toml >/var/log/containerd-import.log 2>&1 &
	started=$!
	tries=0
	until ctr version >/dev/null 2>&1; do
		tries=$((tries + 1))
		if [ "$tries" -gt 150 ]; then
			cat /var/log/containerd-import.log >&2
			exit 1
		fi
		sleep 0.2
	done
fi
ctr --namespace k8s.io images import "$VKS_PAYLOAD/images.tar"
if [ -n "$started" ]; then
	kill "$started"
	wait "$started" || true
	rm -f /var/log/containerd-import.log
fi
