#!/bin/sh
# apt-install.sh PACKAGE... installs Debian packages, as root, without starting or enabling the services they bring.
set -e
policy=/usr/sbin/policy-rc.d
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# Packages ask this file before they start a service: 101 forbids it. One that is there already belongs to somebody else.
if ! [ -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
# A third-party source that does not answer need not matter: the installation decides.
apt-get update || true
apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"

# Nor may they run because that somebody allows it, or from the next boot on.
for package; do
  if [ -e "/etc/init.d/$package" ]; then
    service "$package" stop
    update-rc.d "$package" disable
  fi
done
