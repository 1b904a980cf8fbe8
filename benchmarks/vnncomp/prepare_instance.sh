#!/usr/bin/env bash
# prepare_instance.sh v1 CATEGORY ONNX VNNLIB: gets files and libraries into the machine's memory; no analysis.
# Nothing of an earlier instance can be left: its process ends with run_instance.sh, however that ends.
# Exit code 0, also for files that are missing (run_instance.sh then says error): other codes skip the category.
set -u
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
arguments 4 "prepare_instance.sh v1 CATEGORY ONNX VNNLIB" "$@"

"$python" "$here/instance.py" prepare "$3" "$4" || {
	echo "prepare_instance.sh: genbab does not run; was install_tool.sh v1 run?" >&2
	exit 1
}
