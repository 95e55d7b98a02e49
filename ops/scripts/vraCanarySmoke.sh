#!/usr/bin/env bash
# The command `tieout smoke`, under the name that the runbook prints: $TIEOUT, the one of this repository, or that on the PATH.
set -euo pipefail
own="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../.venv/bin/tieout"
[ -x "$own" ] || own=tieout
exec "${TIEOUT:-$own}" smoke "$@"
