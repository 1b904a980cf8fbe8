#!/usr/bin/env bash
# run_instance.sh v1 CATEGORY ONNX VNNLIB RESULTS TIMEOUT: decides one instance.
# RESULTS: sat, unsat, unknown, timeout or error in the first line, the witness after sat; whole or not there at all.
# SIGTERM and Ctrl-C: RESULTS says what was known. Exit code 0 whenever RESULTS was written.
set -u
child=
stopped=
stop() {
	stopped=1
	[ -z "$child" ] || kill -TERM "$child" 2>/dev/null # a background process does not hear Ctrl-C
}
trap stop TERM INT

. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
arguments 6 "run_instance.sh v1 CATEGORY ONNX VNNLIB RESULTS TIMEOUT" "$@"
results=$5
[ "${results#-}" = "$results" ] || results=./$results

# What is removed and replaced below must be an ordinary file, and none that is read.
if [ -z "$results" ] || [ -L "$results" ] || { [ -e "$results" ] && [ ! -f "$results" ]; } ||
	[ "$results" -ef "$3" ] || [ "$results" -ef "$4" ]; then
	echo "$0: RESULTS must be a file of its own, found '$results'" >&2
	exit 2
fi
rm -f -- "$results"
"$python" "$here/instance.py" run $$ "$3" "$4" "$results" "$6" &
child=$!
[ -z "$stopped" ] || stop # a signal came before the number of the process was known
while :; do
	wait "$child"
	kill -0 "$child" 2>/dev/null || break
done

if [ ! -s "$results" ]; then # a message on stderr says why
	word=error
	[ -z "$stopped" ] || word=unknown
	echo "$word" >"$results.part" && mv -f -- "$results.part" "$results" || exit 1
fi
