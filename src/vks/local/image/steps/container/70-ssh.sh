# cloud-init makes the host key, of one type: the others take longer than all the rest of it.
echo 'HostKey /etc/ssh/ssh_host_ed25519_key' >/etc/ssh/sshd_config.d/20-host-key.conf

# Without a key (of user data or of Nova) nobody could come in, and so nothing listens.
mkdir -p /etc/systemd/system/ssh.service.d
cat >/etc/systemd/system/ssh.service.d/10-keys.conf <<'UNIT'
[Unit]
After=cloud-init.service
ConditionFileNotEmpty=|/home/vks/.ssh/authorized_keys
ConditionFileNotEmpty=|/home/debian/.ssh/authorized_keys
ConditionFileNotEmpty=|/root/.ssh/authorized_keys
UNIT
