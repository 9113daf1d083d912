# Parent of one trainer; outlives the runner. Arguments: the run folder, then the command. Its stdout and stderr are the trainer's files.
# Leads its own session. Files appear whole (link, rename): begun, pid = "boot pid ticks"; exit = "code started ended", written last.
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
  trap '' TERM HUP INT # ignored: mv is in this group and would die with it
  echo "$1 $started $(command -p date +%s)" >"$run/exit.new"
  command -p mv "$run/exit.new" "$run/exit"
}

started=$(command -p date +%s)
identity $$ >"$run/begun.$$"
command -p ln "$run/begun.$$" "$run/begun" 2>/dev/null
second=$?
command -p rm -f "$run/begun.$$"
[ "$second" -eq 0 ] || exit 0
if [ -e "$run/stop-asked" ]; then finish 143; exit 0; fi

ulimit -c 0
ulimit -n 65536 2>/dev/null
"$@" </dev/null &
child=$!
identity "$child" >"$run/pid.new"
command -p mv "$run/pid.new" "$run/pid"
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
