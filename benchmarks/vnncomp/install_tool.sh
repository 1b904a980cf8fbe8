#!/usr/bin/env bash
# Makes the virtual environment .venv of this checkout and installs genbab there.
# GENBAB_PYTHON=path: use that interpreter, which has genbab already, and install nothing.
# PIP_FLAGS: further words for pip, such as the index of torch's CPU builds.
set -eu
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
arguments 1 "install_tool.sh v1" "$@"

if [ -z "${GENBAB_PYTHON-}" ]; then
	modern='import sys; sys.exit(sys.version_info < (3, 11))'
	for base in python3 python3.14 python3.13 python3.12 python3.11; do
		"$base" -c "$modern" 2>/dev/null && break
		base=
	done
	[ -n "$base" ] || { echo "install_tool.sh: no Python 3.11 or newer found" >&2; exit 1; }
	"$base" -m venv "$venv"
	# shellcheck disable=SC2086 - several words
	"$venv/bin/python" -m pip install --quiet ${PIP_FLAGS-} --constraint "$root/constraints.txt" "$root[vnnlib]"
fi
"$python" -c 'import genbab, vnnlib'
echo "genbab $("$python" -m genbab --version) is installed"
