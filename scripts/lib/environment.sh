# What scripts/run and scripts/test share: the virtual environment and what lies in it.
# Sourced, with the repository's root as working directory.

# A script that sources this may have chosen another.
readonly venv=${venv:-.venv}

# Print the first Python of the system that is new enough.
find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "error: Python 3.11 or newer is needed and was not found" >&2
    return 1
}

# Install Debian packages, as root alone can.
apt_install() {
    if [[ $(id -u) != 0 ]]; then
        echo "error: please install: $*" >&2
        return 1
    fi
    echo "installing $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
}

# Make the virtual environment, unless there is one that works.
make_venv() {
    "$venv/bin/python" -c 'import pip' 2>/dev/null && return
    local python
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv python3-pip
    echo "making the virtual environment $venv"
    "$python" -m venv --clear "$venv"
}

# Install the project with the extras in $1 ("" or "[test]"), unless that was done since pyproject.toml changed.
install_project() {
    local extras=$1
    local stamp="$venv/.installed$extras"
    [[ -x $venv/bin/mcp-queue && $stamp -nt pyproject.toml ]] && return
    echo "installing the project and what it needs"
    "$venv/bin/python" -m pip install --quiet --quiet --disable-pip-version-check --editable ".$extras"
    touch "$venv/.installed" "$stamp"
}

# Install the conformance suite of MCP and the Node.js that it needs, unless that was done since their versions changed.
install_conformance_suite() {
    local folder=tests/conformance
    [[ $folder/node_modules/.package-lock.json -nt $folder/package-lock.json ]] && return
    command -v npm >/dev/null || apt_install nodejs npm
    echo "installing the conformance suite"
    npm ci --prefix "$folder" --loglevel=error >/dev/null
}
