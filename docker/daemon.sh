#!/bin/sh
# The daemon, with the secrets of .env, or else with those that are made at the first start. Its tmux is one that starts
# no server: agents belong into the other container, which outlives this one.
set -eu
if [ -z "${CCL_QUEUE_TOKEN:-}" ]; then
  sh /app/docker/make-secret.sh /secrets/ccl-queue/token
  echo "the dashboard asks for a token: docker compose exec ccl-queue cat /secrets/ccl-queue/token"
fi
# After a restart of the engine, the two start at the same time.
if [ -z "${REDIS_URL:-}${REDIS_PASSWORD:-}" ]; then
  until [ -r /secrets/redis/password ]; do sleep 0.2; done
fi
PATH=/app/docker/client:$PATH exec /app/docker/ccl-queue start
