#!/usr/bin/env bash
# Writes requirements/{build,runtime,test}.txt anew from pyproject.toml: every pin raised to the
# newest version that fits, with hashes. `make lock PACKAGE=numpy` raises one package only.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly UV_VERSION=0.13.9
readonly TOOL=.venv-lock

if ! command -v "${PYTHON:-python3}" >/dev/null; then
  echo "lock: missing: ${PYTHON:-python3} (PYTHON=... names another one)" >&2
  exit 2
fi
if [[ ! -x $TOOL/bin/uv ]] || [[ $("$TOOL/bin/uv" --version) != "uv $UV_VERSION"* ]]; then
  "${PYTHON:-python3}" -m venv "$TOOL"
  "$TOOL/bin/pip" install --quiet --disable-pip-version-check "uv==$UV_VERSION"
fi

raise=(--upgrade)
if [[ -n ${PACKAGE:-} ]]; then
  raise=(--upgrade-package "$PACKAGE")
fi

# compile OUTPUT INPUT…: one version of everything for all Pythons and platforms.
compile() {
  local output=$1
  shift
  "$TOOL/bin/uv" pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 \
    --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' \
    --override requirements/without-torch.txt --no-emit-package torch \
    "${raise[@]}" --output-file "$output" "$@"
}

compile requirements/build.txt requirements/build.in
compile requirements/runtime.txt pyproject.toml
compile requirements/test.txt --group pyproject.toml:test --constraint requirements/runtime.txt \
  pyproject.toml requirements/torch-needs.in
