# A system container shares its host's kernel: device management, terminals, maintenance
# timers and the clock are the host's. What is not there does not delay the boot.
systemctl mask --quiet \
	apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
	systemd-tmpfiles-clean.timer e2scrub_reap.service \
	getty.target console-getty.service getty@.service serial-getty@.service \
	systemd-logind.service systemd-pstore.service systemd-timesyncd.service \
	systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket \
	systemd-udevd-kernel.socket systemd-hwdb-update.service systemd-modules-load.service \
	systemd-remount-fs.service systemd-binfmt.service systemd-random-seed.service \
	systemd-machine-id-commit.service systemd-networkd.service systemd-networkd-wait-online.service \
	systemd-ask-password-console.path systemd-ask-password-wall.path \
	systemd-update-utmp.service systemd-update-utmp-runlevel.service \
	dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount sys-kernel-config.mount \
	sys-kernel-debug.mount sys-kernel-tracing.mount proc-sys-fs-binfmt_misc.automount \
	networking.service remote-fs.target
systemctl set-default --quiet multi-user.target

# The journal of a server is small and must not be lost with a crash of the node's kubelet.
mkdir -p /etc/systemd/journald.conf.d /var/log/journal
cat >/etc/systemd/journald.conf.d/10-server.conf <<'CONF'
[Journal]
Storage=persistent
SystemMaxUse=64M
ReadKMsg=no
Audit=no
CONF

# systemd-tmpfiles would make subvolumes of these on btrfs, in the way of deleting the disk.
mkdir -p /var/lib/machines /var/lib/portables
