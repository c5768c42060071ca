# Whoever may log in does so with a key that user data brings; there are no passwords.
cat >/etc/ssh/sshd_config.d/10-keys-only.conf <<'CONF'
PasswordAuthentication no
KbdInteractiveAuthentication no
CONF
