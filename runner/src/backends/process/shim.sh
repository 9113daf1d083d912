# Parent of one trainer; outlives the runner. Arguments: the run folder, then the command. Its stdout and stderr are the trainer's files.
# Leads its own session. Writes begun and pid ("boot pid ticks"), and last exit (the code). Each is one short line, complete when it ends in a
# line break. It starts no other program: a helper would be killed with the trainer's processes and the end would be lost.
run=$1
shift
trap : TERM HUP INT # not ignored: an ignored signal would be ignored by the trainer too
read -r boot </proc/sys/kernel/random/boot_id

# Field 22 of stat, counted after the last ")": the name of a process may contain anything.
identity() {
  read -r line <"/proc/$1/stat" || line=") Z"
  pid=$1
  set -- ${line##*) }
  echo "$boot $pid ${20-0}"
}
finish() {
  trap '' TERM HUP INT
  echo "$1" >"$run/exit"
}

set -C # create, never overwrite: a second shim ends here
identity $$ 2>/dev/null >"$run/begun" || exit 0
set +C
if [ -e "$run/stop-asked" ]; then
  finish 143
  exit 0
fi

ulimit -c 0
ulimit -n 65536 2>/dev/null
"$@" </dev/null &
child=$!
identity "$child" >"$run/pid"
while :; do
  wait "$child"
  code=$?
  kill -0 "$child" 2>/dev/null || break # still there: a signal to the shim had cut the wait short
done
wait "$child" 2>/dev/null
again=$?
[ "$again" -eq 127 ] || code=$again # 127: already collected
finish "$code"
kill -KILL -$$ # what the trainer left behind, and this shim
