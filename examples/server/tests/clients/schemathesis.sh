#!/usr/bin/env bash
# Asks a service what its OpenAPI document allows and forbids, in mock mode: HOST PORT.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/prerequisites.sh
. "$here/../../../../scripts/prerequisites.sh"
need_python
install_from_pypi schemathesis==4.32.5 || { say "schemathesis could not be installed"; exit 1; }
# It leaves a folder where it runs.
cd "$tools"
# The same requests each time.
"$tools/python/bin/schemathesis" run "http://$1:$2/api/v1/openapi.json" --seed 42 --max-examples 10 \
    --request-timeout 30 --suppress-health-check all \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance
