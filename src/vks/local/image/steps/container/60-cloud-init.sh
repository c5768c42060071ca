# cloud-init reads the config drive that the cloud has put at the seed directory. The network
# is configured from outside before the server starts.
cat >/etc/cloud/cloud.cfg.d/90-verda.cfg <<'CONF'
datasource_list: [ConfigDrive, None]
network: {config: disabled}
manage_etc_hosts: localhost
preserve_hostname: false
warnings: {dsid_missing_source: off}
ssh_genkeytypes: [ed25519]
cloud_init_modules: [seed_random, bootcmd, write-files, disk_setup, mounts, set_hostname, update_hostname, update_etc_hosts, ca-certs, users-groups, ssh]
cloud_config_modules: [set-passwords, ntp, timezone, runcmd]
cloud_final_modules: [package-update-upgrade-install, write-files-deferred, scripts-vendor, scripts-per-once, scripts-per-boot, scripts-per-instance, scripts-user, phone-home, final-message, power-state-change]
CONF
printf 'datasource: ConfigDrive\npolicy: enabled\n' >/etc/cloud/ds-identify.cfg

# Debian orders the first stages before sysinit.target, which holds back every other unit
# until user data is read, and the last one after multi-user.target. Here containerd starts
# beside them; the last stage, which runs kubeadm, needs containerd and the stages before it.
stage() {
	cat >"/etc/systemd/system/$1.service" <<UNIT
[Unit]
Description=cloud-init: $2
DefaultDependencies=no
After=$4
Conflicts=shutdown.target
Before=shutdown.target $5

[Service]
Type=oneshot
ExecStart=/usr/bin/cloud-init $3
RemainAfterExit=yes
TimeoutSec=0
KillMode=process
TasksMax=infinity
StandardOutput=journal+console

[Install]
WantedBy=cloud-init.target
UNIT
}
stage cloud-init-local "datasource" "init --local" "systemd-tmpfiles-setup.service" ""
stage cloud-init "users, files, host name" "init" "cloud-init-local.service dbus.socket" "network-online.target"
stage cloud-config "configuration" "modules --mode=config" "cloud-init.service" ""
stage cloud-final "user scripts" "modules --mode=final" \
	"cloud-config.service containerd.service network-online.target systemd-sysctl.service" ""
mkdir -p /etc/systemd/system/cloud-init.target.wants /etc/systemd/system/multi-user.target.wants
systemctl mask --quiet cloud-init-hotplugd.socket cloud-init-hotplugd.service
rm -f /etc/systemd/system/cloud-init.target.wants/cloud-init-hotplugd.socket
systemctl enable --quiet cloud-init-local.service cloud-init.service cloud-config.service cloud-final.service
