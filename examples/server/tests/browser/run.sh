#!/usr/bin/env bash
# Drives the page in Chromium, headless: two URLs, and a folder for screenshots (page.py says which).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/prerequisites.sh
. "$here/../../../../scripts/prerequisites.sh"
need_python
need_chromium
install_from_pypi playwright==1.65.2 axe-playwright-python==0.1.8 pillow || {
    say "playwright could not be installed from PyPI; it needs Python with venv"
    exit 1
}
# Set by need_chromium.
# shellcheck disable=SC2154
"$tools/python/bin/python" -B -W ignore "$here/page.py" "$1" "$2" "$3" "$chromium"
