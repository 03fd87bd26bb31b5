#!/bin/sh
# Goes on only where an agent has done what it was asked for: sh gate.sh "What is to be done." COMMAND [ARG...]
task=$1
shift
ccl-queue add --wait --priority high -- "$task" && exec "$@"
