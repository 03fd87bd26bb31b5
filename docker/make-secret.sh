#!/bin/sh
# Makes a secret and keeps it in a file, unless there is one: sh docker/make-secret.sh FILE
set -eu
if [ -s "$1" ]; then exit 0; fi
umask 077
secret=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
echo "${secret:?}" > "$1.new"
mv "$1.new" "$1"
