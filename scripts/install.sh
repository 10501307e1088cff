#!/bin/sh
# Makes .venv and installs what is asked for: `scripts/install.sh core|vlm|test`.
# Does nothing, quickly, when that is done already. Installs system packages itself where it may
# (root on Debian or Ubuntu), else says which are missing.
set -eu
cd "$(dirname "$0")/.."

what=${1:?core, vlm or test}
lock=requirements/$what.txt
stamp=.venv/.installed-$what
fingerprint=$(cat "$lock" pyproject.toml scripts/install.sh | cksum)
[ "$(cat "$stamp" 2>/dev/null)" = "$fingerprint" ] && exit 0

say() { printf '==> %s\n' "$*"; }
fail() { printf 'vigil: %s\n' "$*" >&2; exit 1; }

# What opencv-python links to, what sends test streams, and what counts packets in tests.
case $what in
core) needed_mb=2500; packages="libgl1 libglib2.0-0 libxcb1 ca-certificates" ;;
vlm) needed_mb=9000; packages="libgl1 libglib2.0-0 libxcb1 ca-certificates" ;;
test) needed_mb=9000; packages="libgl1 libglib2.0-0 libxcb1 ca-certificates git iproute2 procps \
chromium fonts-dejavu-core openssl python3-gi gir1.2-gst-rtsp-server-1.0 glib-networking \
gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad" ;;
*) fail "there is nothing called $what to install; choose core, vlm or test." ;;
esac

free_mb=$(df -Pm . | awk 'NR == 2 { print $4 }')
if [ ! -d .venv ] && [ "$free_mb" -lt "$needed_mb" ]; then
    fail "$needed_mb MB of free disk are needed here and $free_mb MB are free; make some room."
fi

find_python() {
    for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
}

missing=""
if command -v dpkg-query >/dev/null 2>&1; then
    for package in $packages; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || dpkg-query -W -f '${Status}' "${package}t64" 2>/dev/null || true) in
        *"ok installed") ;;
        *) missing="$missing $package" ;;
        esac
    done
else
    say "This is no Debian; if OpenCV does not load, install libGL, GLib and libxcb."
fi
python=$(find_python)
if [ -z "$python" ]; then missing="$missing python3 python3-venv"; fi
if [ -n "$python" ] && ! "$python" -c 'import ensurepip' 2>/dev/null; then missing="$missing python3-venv"; fi

if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "Installing system packages:$missing"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq || fail "the package lists could not be fetched; check the network."
        # shellcheck disable=SC2086 # a list of names
        apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
            fail "apt-get could not install$missing; its message is above."
    elif [ -n "$python" ]; then
        say "Without root these system packages stay missing; install them if something fails:"
        say "    apt-get install$missing"
    fi
fi
python=$(find_python)
[ -n "$python" ] || fail "Python 3.11, 3.12 or 3.13 is needed; install it, or name it with PYTHON=."

if [ ! -x .venv/bin/python ]; then
    say "Making a virtual environment with $("$python" --version)"
    "$python" -m venv .venv || fail "the virtual environment could not be made; apt-get install python3-venv."
fi
case $what in
core) say "Installing the core: about 1 GB, one to five minutes" ;;
*) say "Installing the core, torch and transformers: about 6.5 GB, three to fifteen minutes" ;;
esac
export PIP_DISABLE_PIP_VERSION_CHECK=1
# The status goes through a file: a pipe reports only its last command's.
{
    status=0
    .venv/bin/python -m pip install --require-hashes --no-deps --prefer-binary -r "$lock" || status=$?
    echo "$status" >.venv/.status
} | awk '/^Collecting/ { n++; printf "    %d packages, now %s\n", n, $2; fflush() }
         /^Installing/ { print "    unpacking"; fflush() }'
[ "$(cat .venv/.status)" = 0 ] || fail "pip could not install the packages of $lock; its message is above."
.venv/bin/python -m pip install -q --no-deps --no-build-isolation -e .
say "Installed: $(du -sm .venv | cut -f1) MB in .venv"
echo "$fingerprint" >"$stamp"
