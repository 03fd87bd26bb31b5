#!/bin/sh
# The daemon. Its tmux is one that starts no server: agents belong into the other container, which outlives this one.
PATH=/app/docker/client:$PATH exec node /app/dist/main.js start
