#!/usr/bin/env bash
# Makes the virtual environment. Run it again at will: it does nothing while nothing has changed.
#
#   scripts/setup.sh [test|runtime]
#
#   test     .venv with everything for `make test` and `make demo`; Kinprint itself is editable
#   runtime  only what `kinprint` needs to run, as in the Dockerfile; no torch
#
# Settings (environment):
#   PYTHON             the Python to build on (default python3; 3.11 or newer)
#   VENV               where the environment goes (default .venv)
#   TORCH_REQUIREMENT  the torch to install (default: the CPU build of the version tested with)
#   TORCH_INDEX_URL    where to look for torch, and for nothing else, when pip's own configuration
#                      does not have the CPU build: pytorch.org's install page names the address
#                      ("Stable", "Pip", "CPU"). Without it the build that pip finds is taken.
#
# Torch is kept out of the locks and goes in first: the registry's build for Linux brings several
# gigabytes of CUDA, and everything that depends on torch would pull that one.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly PROFILE=${1:-test}
readonly PYTHON=${PYTHON:-python3} VENV=${VENV:-.venv}
readonly TORCH_VERSION=2.13.0
readonly TORCH_INDEX_URL=${TORCH_INDEX_URL:-}
readonly DEBIAN_LINE='apt-get install -y make git curl python3-venv'

case $PROFILE in
  test) readonly DISK_MB=2500 ;;
  runtime) readonly DISK_MB=600 ;;
  *)
    echo "setup: unknown profile '$PROFILE'; it is 'test' or 'runtime'" >&2
    exit 2
    ;;
esac
# Only Linux has a CPU build under a name of its own.
if [[ $(uname -s) == Linux ]]; then
  readonly TORCH_REQUIREMENT=${TORCH_REQUIREMENT:-torch==$TORCH_VERSION+cpu}
else
  readonly TORCH_REQUIREMENT=${TORCH_REQUIREMENT:-torch==$TORCH_VERSION}
fi

fingerprint_of_inputs() {
  {
    echo "$PROFILE $TORCH_REQUIREMENT $("$PYTHON" -V)"
    cat requirements/build.txt "requirements/$PROFILE.txt" pyproject.toml scripts/setup.sh
  } | sha256sum | cut -d ' ' -f 1
}

check_machine() {
  local missing=() free_mb
  if ! command -v "$PYTHON" >/dev/null; then
    missing+=("$PYTHON, version 3.11 or newer")
  elif ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    missing+=("Python 3.11 or newer ($PYTHON is $("$PYTHON" -V 2>&1)); PYTHON=... names another one")
  elif ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    missing+=("the venv module of $PYTHON (Debian: python3-venv)")
  fi
  command -v sha256sum >/dev/null || missing+=("sha256sum (coreutils)")
  free_mb=$(df -Pm . | awk 'NR == 2 { print $4 }')
  if ((free_mb < DISK_MB)); then
    missing+=("disk: $DISK_MB MB here, $free_mb MB are free")
  fi
  if ((${#missing[@]})); then
    echo "setup: missing:" >&2
    printf '  - %s\n' "${missing[@]}" >&2
    echo "On Debian 12 one line has it all: $DEBIAN_LINE" >&2
    exit 2
  fi
}

pip() { "$VENV/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }

install_torch() {
  if [[ -n $TORCH_INDEX_URL ]]; then
    pip install --no-deps --index-url "$TORCH_INDEX_URL" "$TORCH_REQUIREMENT" && return
    echo "setup: missing: $TORCH_REQUIREMENT at TORCH_INDEX_URL" >&2
    exit 2
  fi
  if [[ $TORCH_REQUIREMENT == *+cpu ]]; then
    pip install --no-deps "$TORCH_REQUIREMENT" 2>/dev/null && return
    echo "setup: pip finds no CPU build of torch; taking ${TORCH_REQUIREMENT%+cpu}, which can bring" >&2
    echo "gigabytes of CUDA. To avoid that, stop here and set TORCH_INDEX_URL (scripts/setup.sh)." >&2
  fi
  pip install "${TORCH_REQUIREMENT%+cpu}"
}

check_machine
wanted=$(fingerprint_of_inputs)
if [[ -f $VENV/complete ]] && [[ $(<"$VENV/complete") == "$wanted" ]]; then
  exit 0
fi

echo "setup: $VENV ($PROFILE), some minutes at the first run"
if [[ ! -x $VENV/bin/python ]] || [[ $("$VENV/bin/python" -V) != $("$PYTHON" -V) ]]; then
  rm -rf "$VENV"
  "$PYTHON" -m venv "$VENV"
fi
rm -f "$VENV/complete"
pip install --require-hashes -r requirements/build.txt
if [[ $PROFILE == test ]]; then
  install_torch
  pip install --require-hashes --no-deps -r requirements/test.txt
  # Twice quiet: setuptools warns at every editable install.
  pip --quiet install --no-deps --no-build-isolation --editable .
else
  pip install --require-hashes --no-deps -r requirements/runtime.txt
  pip install --no-deps --no-build-isolation .
fi
pip check
echo "$wanted" >"$VENV/complete"
