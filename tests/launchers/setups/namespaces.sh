# Sourced by the set-ups: a view of this machine's files that may be changed at will, in namespaces of its own.
#
#   enter_namespaces PACKAGE...   installs packages into an overlay whose changes lie in memory, cuts the network off, and goes on
#                                 in the function `hub`, whose processes all end with this script
#   command_for NAME...           makes $directory/bin/NAME, by which processes outside run that program inside
#   until_stdin_ends              says "ready" and waits until whoever started the script is gone
#
# Two sets of namespaces are there.  The outer one (files, host name, network) is what programs of the test enter; it keeps this machine's
# process ids.  Daemons, and the jobs that they start, run in the inner one, which has process ids of its own: when its first process
# ends, the kernel ends all others, so nothing survives the test.  Nothing is written to the machine's own file system: the changes are
# on a tmpfs that only these namespaces have mounted, and which goes with them.
#
# The environment says what is shared with the outside: $directory (given to the script), and the folders in $LINDEN_SETUP_SHARE,
# separated by colons.  Downloaded packages are kept in $LINDEN_SETUP_CACHE, if that is set.
set -eu

say() { printf '%s\n' "$*" >&2; }
fail() { say "set-up: $*"; exit 1; }

# Runs by itself as four stages, each in a process that was replaced by the next.
enter_namespaces() {
  case ${linden_stage:-outside} in
    outside)
      export linden_stage=overlay linden_outer_pid=$$
      unshare -m -u true 2>/dev/null || fail "no namespaces: $(unshare -m -u true 2>&1); run it as root, or set LINDEN_TEST_NAMESPACES=0"
      exec unshare -m -u --propagation=private "$script" "$directory"
      ;;
    overlay)
      make_overlay
      install_packages "$@"
      export linden_stage=network
      exec unshare -n "$script" "$directory"
      ;;
    network)
      ip link set lo up
      export linden_stage=hub
      exec unshare -p --fork --kill-child=KILL unshare -m --propagation=private "$script" "$directory"
      ;;
    hub)
      mount -t proc proc /proc
      hub
      ;;
  esac
}

make_overlay() {
  linden_root=/mnt
  mount -t tmpfs tmpfs $linden_root
  mkdir $linden_root/upper $linden_root/work $linden_root/root
  mount -t overlay overlay -o lowerdir=/,upperdir=$linden_root/upper,workdir=$linden_root/work $linden_root/root
  linden_root=$linden_root/root
  for folder in /proc /sys /dev; do mount --rbind $folder $linden_root$folder; done
  mount -t tmpfs tmpfs $linden_root/dev/shm  # what daemons leave in shared memory goes with the rest
  mount -t tmpfs tmpfs $linden_root/run
  mkdir -p $linden_root/run/lock
  # Other file systems than that of / are not in the overlay, and what both sides write must not be.
  for folder in $(printf '%s' "$directory:${LINDEN_SETUP_SHARE:-}" | tr : ' '); do
    mkdir -p "$linden_root$folder"
    mount --rbind "$folder" "$linden_root$folder"
  done
  if [ -n "${LINDEN_SETUP_CACHE:-}" ]; then
    mkdir -p "$LINDEN_SETUP_CACHE" $linden_root/var/cache/apt/archives
    mount --bind "$LINDEN_SETUP_CACHE" $linden_root/var/cache/apt/archives
  fi
  mkdir -p $linden_root/mnt
  cd $linden_root
  pivot_root . mnt
  cd /
  umount -l /mnt
}

# $*: packages.  They see this machine's network, but start no daemon.
install_packages() {
  missing=
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
  rm -f /etc/apt/apt.conf.d/docker-clean  # images of Docker have it; it would remove what was downloaded
  rm -f /var/lib/man-db/auto-update  # nobody reads manual pages here, and their index takes half of the time
  # One at a time: they share the folder of downloaded packages.
  (
    flock 9
    apt="apt-get -q -o APT::Sandbox::User=root -o APT::Keep-Downloaded-Packages=1 -o Dpkg::Options::=--force-unsafe-io"
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $apt install -y --no-install-recommends $missing ||
      { $apt update && DEBIAN_FRONTEND=noninteractive $apt install -y --no-install-recommends $missing; }
  ) 9>/var/cache/apt/archives/linden.lock >"$directory/install.log" 2>&1 ||
    { tail -5 "$directory/install.log" >&2; fail "cannot install$missing; see $directory/install.log"; }
}

# Each runs a program inside, with the caller's arguments, folder, environment and standard streams.
command_for() {
  mkdir -p "$directory/bin"
  for name in "$@"; do
    cat >"$directory/bin/$name" <<END
#!/bin/sh
exec /usr/bin/nsenter -t $linden_outer_pid -m -u -n --wdns="\$PWD" -- ${inside_environment:-} $(command -v "$name") "\$@"
END
    chmod +x "$directory/bin/$name"
  done
}

# A host name that is not on loopback, which schedulers insist on: an address of a bridge that has no other end.
own_host() {
  hostname "$1"
  ip link add br0 type bridge
  ip addr add "$2" dev br0
  ip link set br0 up
  printf '%s %s\n127.0.0.1 localhost\n' "${2%/*}" "$1" >/etc/hosts
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
  deadline=$(($(date +%s) + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt $deadline ] || fail "still not true: $*"
    sleep 0.1
  done
}

until_stdin_ends() {
  echo ready
  cat >/dev/null
}
