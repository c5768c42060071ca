# kubelet, kubeadm and kubectl as the distribution packages of Kubernetes install them.
install -m 0755 "$VKS_PAYLOAD"/kubelet "$VKS_PAYLOAD"/kubeadm "$VKS_PAYLOAD"/kubectl /usr/bin/

mkdir -p /etc/kubernetes/manifests /etc/kubernetes/kubelet.conf.d /var/lib/kubelet
# Until kubeadm has written the configuration there is nothing to start, so the unit waits
# for it instead of restarting in circles while the machine boots.
cat >/etc/systemd/system/kubelet.service <<'UNIT'
[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target containerd.service
ConditionPathExists=/var/lib/kubelet/config.yaml
StartLimitIntervalSec=0

[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml --config-dir=/etc/kubernetes/kubelet.conf.d"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
UNIT
systemctl enable kubelet.service

# The images of the control plane were loaded, not pulled: once collected they would be gone.
cat >/etc/kubernetes/kubelet.conf.d/10-images.conf <<'CONF'
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
imageGCHighThresholdPercent: 100
CONF

# kubelet 1.35 and later refuse cgroup v1 unless told otherwise, and kubeadm's system
# verification refuses it whatever the kubelet says. Both are facts of this machine, so they
# are settled here and stay out of what the service passes to kubeadm.
if [ "$VKS_CGROUP_VERSION" = 1 ]; then
	cat >/etc/kubernetes/kubelet.conf.d/20-cgroup-v1.conf <<'CONF'
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
failCgroupV1: false
CONF
	cat >/usr/local/bin/kubeadm <<'WRAPPER'
#!/bin/sh
case "$1" in
init | join) exec /usr/bin/kubeadm "$@" --ignore-preflight-errors=SystemVerification ;;
esac
exec /usr/bin/kubeadm "$@"
WRAPPER
	chmod 0755 /usr/local/bin/kubeadm
fi
