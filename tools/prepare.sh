# Sourced by ./weft and ./check: what a fresh Debian 12 lacks, named before it is installed.
say() { printf '%s\n' "$*" >&2; }

# program=package; a name with a slash is a file
needed="containerd=containerd runc=runc nft=nftables busybox=busybox-static dash=dash nginx=nginx-light curl=curl
 dig=dnsutils nc=netcat-openbsd tcpdump=tcpdump iperf3=iperf3 ip=iproute2 gcc=gcc /usr/include/stdio.h=libc6-dev"

prepare_packages() {
  missing=
  for pair in $needed $*; do
    name=${pair%%=*}
    case $name in
      /*) [ -e "$name" ] || missing="$missing ${pair#*=}" ;;
      *) PATH=$PATH:/usr/sbin:/sbin command -v "$name" > /dev/null 2>&1 || missing="$missing ${pair#*=}" ;;
    esac
  done
  command -v kubectl > /dev/null 2>&1 || missing="$missing kubernetes-client"
  python_of_venv > /dev/null || missing="$missing python3 python3-venv"
  missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
  [ -n "${missing% }" ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null 2>&1; then
    say "weft: these packages are missing: $missing(install them, then call again)"; exit 1
  fi
  say "weft: installing Debian packages: $missing"
  # Services that the packages would start are not wanted: a lab runs its own containerd, in its nodes.
  policy=/usr/sbin/policy-rc.d own=
  if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' > $policy; chmod +x $policy; own=1; fi
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing; } > /tmp/weft-apt.$$ 2>&1 \
    || { tail -5 /tmp/weft-apt.$$ >&2; rm -f /tmp/weft-apt.$$; [ -z "$own" ] || rm -f $policy; say "weft: apt-get failed"; exit 1; }
  rm -f /tmp/weft-apt.$$; [ -z "$own" ] || rm -f $policy
}

# The first Python of at least 3.11 that can make virtual environments.
python_of_venv() {
  for python in "${WEFT_PYTHON:-python3}" python3.13 python3.12 python3.11 /usr/bin/python3; do
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then printf %s "$python"; return 0; fi
  done
  return 1
}

# HERE VENV LOCK: a virtual environment that holds exactly what LOCK says, and Weft itself from the checkout.
prepare_environment() {
  say "weft: making the virtual environment $2 from $3"
  python=$(python_of_venv) || { say "weft: no Python 3.11 or later with venv here"; exit 1; }
  [ -x "$2/bin/python" ] || "$python" -m venv "$2"
  "$2/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$1/$3" >&2
  "$2/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e "$1" >&2
  # Byte code for the sources too: where PYTHONDONTWRITEBYTECODE is set they would be compiled at every start.
  env -u PYTHONDONTWRITEBYTECODE "$2/bin/python" -m compileall -q "$1/src/weft" >&2
  cp "$1/requirements.lock" "$2/weft.lock"
  cp "$1/$3" "$2/$3"
}
