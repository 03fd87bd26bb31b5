#!/bin/sh
# Drops the sample tasks into a sample project, unless they were there before, and shows what becomes of them.
set -eu
queue=/projects/demo/.agent-queue
mkdir -p "$queue/inbox"

# Whether a task of that name waits, runs, or is over.
is_known() {
  for file in "$queue"/inbox/"$1"* "$queue"/done/"$1" "$queue"/failed/"$1"; do
    if [ -e "$file" ]; then return 0; fi
  done
  return 1
}

dropped=
for task in /app/demo/tasks/*.md; do
  name=$(basename "$task")
  if is_known "$name"; then continue; fi
  cp "$task" "/projects/demo/.$name"
  mv "/projects/demo/.$name" "$queue/inbox/$name"
  echo "dropped $name into /projects/demo/.agent-queue/inbox"
  dropped="$dropped $name"
done

for name in $dropped; do
  until [ -e "$queue/done/$name" ] || [ -e "$queue/failed/$name" ]; do sleep 0.2; done
  for file in "$queue/done/$name" "$queue/failed/$name"; do
    if [ -e "$file" ]; then echo "$file:"; cat "$file"; fi
  done
done
