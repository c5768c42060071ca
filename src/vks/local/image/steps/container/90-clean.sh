# What must be a server's own is made at its first boot.
: >/etc/machine-id
rm -f /etc/hostname /etc/resolv.conf /var/lib/dbus/machine-id /etc/ssh/ssh_host_*
rm -rf /var/lib/cloud /var/log/cloud-init* /var/log/journal/* /var/lib/apt/lists/* /var/cache/apt
mkdir -p /var/lib/cloud/seed/config_drive /var/cache/apt/archives/partial

# CoreDNS hands foreign names to the node's resolver and does not start without one. Unless
# the network has a resolver there is none: this address (RFC 5737) is never reachable, so
# that such names fail at once.
echo "nameserver 192.0.2.53" >/etc/resolv.conf
