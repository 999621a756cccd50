#!/usr/bin/env bash
# Runs clients that others wrote, unmodified, against a service with the demo model: HOST PORT CLIENT...
# They need Python 3.11 or newer, and are installed from PyPI into .tools/.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/prerequisites.sh
. "$here/../../../../scripts/prerequisites.sh"
need_python
install_from_pypi webuiapi==0.9.17 sd-backend-client==0.5.0 openai==3.54.0 || {
    say "the clients could not be installed from PyPI; they need Python 3.11 with venv"
    exit 1
}
for client in "${@:3}"; do
    "$tools/python/bin/python" -W ignore "$here/${client}_client.py" "$1" "$2"
done
