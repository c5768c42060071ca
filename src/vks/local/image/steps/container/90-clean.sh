# What must be a server's own is made at its first boot.
: >/etc/machine-id
rm -f /etc/hostname /etc/resolv.conf /var/lib/dbus/machine-id
rm -rf /var/lib/cloud /var/log/cloud-init* /var/log/journal/* /var/lib/apt/lists/* /var/cache/apt
mkdir -p /var/lib/cloud/seed/config_drive /var/cache/apt/archives/partial
touch /etc/resolv.conf
