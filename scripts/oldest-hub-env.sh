#!/usr/bin/env bash
# Makes .venv-oldest-hub: the oldest supported huggingface_hub (which speaks through httpx) in front
# of everything else that .venv holds, so that torch is stored once. Run it again at will: it does
# nothing while the right versions are there.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly MAIN=.venv NEW=.venv-oldest-hub
# Only what .venv lacks; the rest of what they need is shared.
readonly OLDEST=(huggingface_hub==1.31.0 httpx==0.28.1 httpcore==1.0.9 certifi==2026.10.18)

if [[ ! -x $MAIN/bin/python ]]; then
  echo "oldest-hub-env: $MAIN is missing; \`make test\` and \`make demo\` make it." >&2
  exit 2
fi

wanted="${OLDEST[*]} $("$MAIN/bin/python" -V)"
if [[ -f $NEW/complete && $(<"$NEW/complete") == "$wanted" ]]; then
  exit 0
fi

rm -rf "$NEW"
"$MAIN/bin/python" -m venv --without-pip "$NEW"
"$MAIN/bin/python" -m pip --python "$NEW/bin/python" install --quiet --no-deps "${OLDEST[@]}"

packages_of() { "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }
# addsitedir, not a bare path: Kinprint itself is there as a .pth file.
echo "import site; site.addsitedir('$(packages_of "$MAIN")')" >"$(packages_of "$NEW")/shared.pth"

# What is imported is what counts: a shared package could stand in front.
"$NEW/bin/python" - "${OLDEST[0]#*==}" <<'PYTHON'
import sys
import huggingface_hub
if huggingface_hub.__version__ != sys.argv[1]:
    sys.exit(f"oldest-hub-env: imports huggingface_hub {huggingface_hub.__version__}, not {sys.argv[1]}")
PYTHON
echo "$wanted" >"$NEW/complete"
