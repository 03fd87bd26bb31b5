#!/bin/sh
# Writes .env from .env.example, with new secrets and your own ids: sh docker/env.sh [demo]
set -eu
cd "$(dirname "$0")/.."
if [ -e .env ]; then
  echo ".env is there already; remove it first" >&2
  exit 1
fi

secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
set_to() { sed "s|^#* *$1=.*|$1=$2|"; }
# Root is not let into the image: files of its projects belong to the image's own user instead.
uid=$(id -u) gid=$(id -g)
if [ "$uid" = 0 ]; then uid=1000 gid=1000; fi

demo=cat
in_demo() {
  set_to CONFIG_FILE ./docker/demo.yaml | set_to CLAUDE_VERSION none |
    set_to SECUTOOLS_URL http://secutools:8430 | set_to SECUTOOLS_API_KEY "$(secret)"
}
if [ "${1:-}" = demo ]; then demo=in_demo; fi

umask 077
set_to CCL_QUEUE_TOKEN "$(secret)" < .env.example | set_to REDIS_PASSWORD "$(secret)" |
  set_to CCL_QUEUE_UID "$uid" | set_to CCL_QUEUE_GID "$gid" | $demo > .env
umask 022
mkdir -p projects
if [ "$(id -u)" = 0 ]; then chown "$uid:$gid" projects; fi
echo "wrote .env; the dashboard asks for its CCL_QUEUE_TOKEN"
