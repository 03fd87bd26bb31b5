#!/bin/sh
# Writes .env for real work: .env.example with new secrets and your own ids.
set -eu
cd "$(dirname "$0")/.."
if [ -e .env ]; then
  echo ".env is there already; remove it first" >&2
  exit 1
fi

secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
set_to() { sed "s|^$1=.*|$1=$2|"; }
# Root is not let into the image: files of its projects belong to the image's own user instead.
uid=$(id -u) gid=$(id -g)
if [ "$uid" = 0 ]; then uid=1000 gid=1000; fi

umask 077
set_to CCL_QUEUE_TOKEN "$(secret)" < .env.example | set_to REDIS_PASSWORD "$(secret)" |
  set_to CCL_QUEUE_UID "$uid" | set_to CCL_QUEUE_GID "$gid" > .env
umask 022
mkdir -p projects
if [ "$(id -u)" = 0 ]; then chown "$uid:$gid" projects; fi
echo "wrote .env; the dashboard asks for its CCL_QUEUE_TOKEN"
