# containerd: the pause image is the one that kubeadm expects and is in the image already.
systemd_cgroup=false
test "$VKS_CGROUP_VERSION" = 1 || systemd_cgroup=true
restrict_oom_score_adj=true
test "$VKS_MAY_LOWER_OOM_SCORE" = 0 || restrict_oom_score_adj=false

cat >/etc/containerd/config.toml <<CONF
version = 2
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = $restrict_oom_score_adj
  sandbox_image = "$VKS_PAUSE_IMAGE"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = $systemd_cgroup
CONF
