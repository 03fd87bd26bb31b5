#!/bin/sh
# An agent as the queue knows it, and so light that only the queue is measured: it starts, takes its prompt, works and
# stops, with the hooks of its run, and logs its start and its end (the moment before its Stop hook) by its own clock.
#     agent.sh LOG ends|stays START_S WORK_S --session-id UUID ... < prompt.md
# After its Stop it ends, or stays open as Claude Code does until it is ended.
launched=$(date +%s%N)
log=$1
after=$2
starting=$3
working=$4
session=$6
for last; do :; done
if [ "$last" = --version ]; then
  echo "2.1.329 (bench agent)"
  exit
fi
read -r tag
# The first line may end in a time to work that is the task's own.
read -r task own
run=${tag#\[run }
config=$CCL_QUEUE_RUN/config
mkdir -p "$config/sessions"

# A line such as those of the demo agent: EVENT NS
stamp() {
  echo "{\"event\":\"$1\",\"at\":$2e-6,\"run\":\"${run%\]}\",\"firstLine\":\"$task\"}" >> "$log"
}
# EVENT FIELDS
hook() {
  of="\"session_id\":\"$session\",\"transcript_path\":\"$config/projects/bench/$session.jsonl\""
  echo "{\"hook_event_name\":\"$1\",$of,$2}" | sh "$CCL_QUEUE_RUN/hook.sh" event
}
# As Claude Code does: busy from its prompt on, idle a moment after its Stop.
status() {
  echo "{\"status\":\"$1\",\"statusUpdatedAt\":$(date +%s%3N)}" > "$config/sessions/$$.json"
}

stamp start "$launched"
sleep "$starting"
hook SessionStart '"source":"startup"'
hook UserPromptSubmit "\"prompt\":\"$tag\""
status busy
sleep "${own:-$working}"
stamp end "$(date +%s%N)"
hook Stop '"last_assistant_message":"Done."'
status idle
[ "$after" = ends ] || exec sleep 86400
