#!/bin/sh
# Redis: every write is on disk before it is acknowledged. Its password is that of .env, or one that is made here. It
# reaches Redis by stdin: a command line is for all to see.
set -eu

# Each side writes in a directory of its own. The daemon reads the other by its group, and cannot change what it reads.
install -d -o root -g "$CCL_QUEUE_GID" -m 750 /secrets/redis
install -d -o "$CCL_QUEUE_UID" -g "$CCL_QUEUE_GID" -m 700 /secrets/ccl-queue

if [ -z "$REDIS_PASSWORD" ]; then
  file=/secrets/redis/password
  sh "$(dirname "$0")/make-secret.sh" "$file"
  chgrp "$CCL_QUEUE_GID" "$file"
  chmod 640 "$file"
  REDIS_PASSWORD=$(cat "$file")
fi

exec docker-entrypoint.sh redis-server - <<CONFIG
requirepass ${REDIS_PASSWORD:?}
dir /data
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
CONFIG
