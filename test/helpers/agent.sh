#!/bin/sh
# agent.sh NODE AGENT [ARG...]: the demo agent, as it is. Its version, which every daemon asks for, is told without Node.
for last; do :; done
if [ "$last" = --version ]; then
  echo "2.1.329 (the demo agent)"
  exit
fi
exec "$@"
