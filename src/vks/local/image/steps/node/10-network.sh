# Nodes forward packets between pods and the network; kubeadm's preflight insists on it.
cat >/etc/sysctl.d/90-kubernetes.conf <<'CONF'
net.ipv4.ip_forward = 1
CONF

# Every add-on that brings its own CNI plugins installs them in /opt/cni/bin.
mkdir -p /opt/cni/bin /etc/cni/net.d
ln -sf /usr/lib/cni/* /opt/cni/bin/
