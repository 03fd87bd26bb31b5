#!/bin/sh
# What Claude Code's hooks and status line run, with their JSON on stdin: hook.sh event|deny|status
# Each file appears whole or not at all. Whatever happens here, the agent goes on.
umask 077
run=$CCL_QUEUE_RUN
if [ "$1" = status ]; then
  { cat > "$run/.status-$$" && mv "$run/.status-$$" "$run/status.json"; } || rm -f "$run/.status-$$"
  exit 0
fi

name=$(date +%s%N)-$$
event=$(cat)
keep() {
  printf '%s\n' "$event" > "$run/events/.$name" && mv "$run/events/.$name" "$run/events/$name.json"
}

if [ "$1" = deny ]; then
  keep
  echo '{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"deny","message":"Nobody is here to answer: this session is run by a queue. Go on without it."}}}'
  exit 0
fi
# An event that is lost may be the task's end: on a full disk it waits for space, for as long as a hook may take.
until keep 2> /dev/null || [ ! -d "$run/events" ]; do
  sleep 1
done
exit 0
