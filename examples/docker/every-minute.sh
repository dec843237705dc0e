#!/bin/sh
# Responsible for the first process of the container. With arguments it becomes `cgs-export ARGUMENTS`. Without, it runs
# one tick a minute until SIGTERM, and passes this signal on: the tick stores what it has and ends within a second.
# A configuration error ends the container with exit code 2. Other errors are in the log, and the next tick tries again.
set -u

if [ $# -gt 0 ]; then exec cgs-export "$@"; fi

child=
stopped=
stop() {
  stopped=1
  if [ -n "$child" ]; then kill -TERM "$child" 2>/dev/null; fi
}
trap stop TERM INT

# Waits for the process $child, also if a signal interrupts the first wait. Sets $code to its exit code.
finish() {
  # The signal can have arrived before $child was set.
  if [ -n "$stopped" ]; then stop; fi
  wait "$child"
  code=$?
  if [ -n "$stopped" ]; then
    wait "$child"
  fi
  child=
}

while [ -z "$stopped" ]; do
  # The result of a tick is in the store. stderr has the log, one line of JSON each.
  cgs-export tick --time-limit 50 > /dev/null &
  child=$!
  finish
  if [ "$code" -eq 2 ]; then exit 2; fi
  if [ -n "$stopped" ]; then break; fi
  sleep "$((60 - $(date +%s) % 60))" &
  child=$!
  finish
done
