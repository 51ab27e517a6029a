#!/bin/sh
# Make sure that a virtual environment can be made, or say in one line how to get there.
set -eu
python="${PY:-}"
if [ -z "$python" ]; then
    echo "resyncctl needs Python 3.11 or newer. On Debian: apt-get install python3.11" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "resyncctl needs Python 3.11 or newer; $python is older. Name another one: make PY=/path/to/python3.11" >&2
    exit 1
fi
if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    exit 0
fi
# Debian keeps ensurepip in a package of its own; root can fetch it, everybody else is told.
package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing $package, which Debian splits from Python" >&2
    apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -q -y "$package" >/dev/null
    exec "$python" -c 'import ensurepip, venv'
fi
echo "This Python cannot make virtual environments. On Debian: sudo apt-get install $package" >&2
exit 1
