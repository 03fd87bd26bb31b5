#!/bin/sh
# Runs one agent in a pane: launch.sh RUN_DIR COMMAND [ARG...]
# RUN_DIR/project (a link) is its directory, RUN_DIR/prompt.md its stdin; its pid and exit code are left in RUN_DIR.
# No signal is trapped: when tmux hangs up on this shell, the kernel hangs up on the agent too.
CCL_QUEUE_RUN=$1
shift
export CCL_QUEUE_RUN
# What is kept of a run is nobody else's business; what the agent makes has the modes that it has everywhere.
mask=$(umask)
umask 077

ended() {
  echo "$1" > "$CCL_QUEUE_RUN/.exit" && mv "$CCL_QUEUE_RUN/.exit" "$CCL_QUEUE_RUN/exit"
  exit "$1"
}
cd -P "$CCL_QUEUE_RUN/project" 2> "$CCL_QUEUE_RUN/stderr" || ended 126

# The projects of the queue are trusted by configuration: no dialog asks again.
export CLAUDE_CODE_SANDBOXED=1
# However old and long a session is, it is resumed as it is: no dialog asks how.
export CLAUDE_CODE_RESUME_THRESHOLD_MINUTES=999999999 CLAUDE_CODE_RESUME_TOKEN_THRESHOLD=999999999
# Traces of a Claude session around this one would silence the agent's transcript.
unset CLAUDECODE CLAUDE_CODE_CHILD_SESSION CLAUDE_CODE_ENTRYPOINT CLAUDE_CODE_SESSION_ID CLAUDE_CODE_SSE_PORT
unset CLAUDE_CODE_SESSION_KIND CLAUDE_CODE_SESSION_ATTENDED CLAUDE_CODE_MESSAGING_SOCKET CLAUDE_CODE_MESSAGING_TOKEN
unset CLAUDE_CODE_CHILD_NOTES_DIR CLAUDE_CODE_EXECPATH CLAUDE_PID CLAUDE_PROJECT_DIR CLAUDE_ENV_FILE CLAUDE_EFFORT
# The queue's own keys are not the agent's business.
unset SECUTOOLS_API_KEY CCL_QUEUE_TOKEN CCL_QUEUE_WEBHOOK_SECRET

# Field 22 of /proc/PID/stat, the start time, tells this process from a later one with the same pid. The fields are
# counted from the end of the name, in parentheses, where field 3 begins. No other program is started for it: each would
# keep the agent waiting.
# shellcheck disable=SC2016,SC2086
sh -c '
  started() { echo "$$ ${20}"; }
  { read -r CCL_QUEUE_STAT < "/proc/$$/stat"; } 2>/dev/null
  started ${CCL_QUEUE_STAT##*) } > "$CCL_QUEUE_RUN/pid"
  umask "$0"
  exec "$@"
' "$mask" "$@" < "$CCL_QUEUE_RUN/prompt.md" 2> "$CCL_QUEUE_RUN/stderr"
ended $?
