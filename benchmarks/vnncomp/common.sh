# Read by the three scripts: the interpreter that runs genbab, and a look at the arguments.

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
venv=$root/.venv
python=${GENBAB_PYTHON:-$venv/bin/python}

# arguments COUNT USAGE "$@": ends the script unless there are that many, the first of them v1.
arguments() {
	local count=$1 usage=$2
	shift 2
	if [ "${1-}" != v1 ]; then
		echo "$0: the first argument is the version of the interface, v1; found '${1-}'" >&2
	elif [ $# -ne "$count" ]; then
		echo "$0: found $# arguments" >&2
	else
		return 0
	fi
	echo "usage: $usage" >&2
	exit 2
}
