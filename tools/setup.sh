#!/bin/sh
# Make .venv in the repository root with the locked versions. Needs python3 (3.11 or newer), nothing else.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}

fail() {
    printf '\nsetup: %s\n' "$1" >&2
    exit 1
}

command -v "$PYTHON" >/dev/null 2>&1 || fail "no '$PYTHON' on the PATH. Install Python 3.11 or newer, or run: make setup PYTHON=/path/to/python3"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$PYTHON" --version) is too old. Install Python 3.11 or newer, or run: make setup PYTHON=/path/to/python3.11"

uv_pin=$(grep '^uv==' requirements.lock | cut -d' ' -f1)

if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    rm -rf .venv
    if "$PYTHON" -c 'import ensurepip' 2>/dev/null; then
        "$PYTHON" -m venv .venv
    elif "$PYTHON" -m pip --version >/dev/null 2>&1; then
        # Debian keeps ensurepip in python3-venv; a pip outside can fill the environment as well.
        "$PYTHON" -m venv --without-pip .venv
        "$PYTHON" -m pip --python .venv/bin/python install --quiet pip
    else
        fail "this Python cannot make virtual environments. On Debian or Ubuntu run: apt install python3-venv (and then make setup again)"
    fi
fi

py=.venv/bin/python
"$py" -m pip install --quiet --disable-pip-version-check "$uv_pin" ||
    fail "pip could not install $uv_pin. Is the package index reachable from here?"

# uv installs in seconds; where only pip is configured for the local index, pip does the same slower.
if ! "$py" -m uv pip install --quiet --python "$py" --no-deps -r requirements.lock; then
    echo "setup: uv could not install the locked versions; trying pip." >&2
    "$py" -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock ||
        fail "the locked versions could not be installed (see above)."
fi
"$py" -m uv pip install --quiet --python "$py" --offline --no-deps --no-build-isolation -e . ||
    fail "tieout itself could not be installed into .venv (see above)."
# Where Python may not write bytecode (PYTHONDONTWRITEBYTECODE) every start would compile every module anew, 1 to 3 s.
"$py" -m compileall -qq -j 0 "$("$py" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" src ||
    echo "setup: some modules could not be compiled; those start slower, and all else is as it should be." >&2
touch .venv/.ready
echo "setup: .venv is ready ($("$py" --version))"
