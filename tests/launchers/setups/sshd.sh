#!/bin/sh
# Hosts node1 and node2, each with an sshd, a host name, a network and a /tmp of its own; with LINDEN_TEST_NAMESPACES=0, one sshd of
# this user on 127.0.0.1 and 127.0.0.2 instead.
#
#   sshd.sh DIRECTORY    says "ready", runs until its stdin ends
#
# DIRECTORY/ssh_config leads to node1 and node2, and to hosts where something is wrong: closed (nobody listens), stranger (its host key
# is not the known one), nokey (it does not know our key), nowhere (no such name).  DIRECTORY/bin/ssh is the ssh that reaches them.
directory=$1
script=$(readlink -f "$0")
. "$(dirname "$script")/namespaces.sh"

hub() {
  own_host hub 10.97.0.1/24
  export LINDEN_SETUP_SHARE
  keys
  rm -f "$directory"/node*.pid
  for number in 1 2; do
    sshd_config $number 10.97.0.1$number 22
    known_host 10.97.0.1$number 22
    # The veth's other end is moved into the network of the process that waits for it.
    ip link add node$number type veth peer name host$number
    ip link set node$number master br0 up
    unshare -n -u -m --propagation=private sh -c "$node" node$number "$directory" 10.97.0.1$number host$number &
    wait_for 10 test -s "$directory/node$number.pid"
    ip link set host$number netns "$(cat "$directory/node$number.pid")"
  done
  ssh_config 10.97.0.11 22 10.97.0.12 22
  command_for ssh
  try_login
  until_stdin_ends
}

# A host: $0 its name, $1 the directory of the set-up, $2 its address, $3 its network device.
node='
set -eu
hostname "$0"
mkdir -p /run/sshd
mount -t tmpfs tmpfs /mnt
mkdir /mnt/tmp
chmod 1777 /mnt/tmp
for folder in $(printf "%s" "$1:$LINDEN_SETUP_SHARE" | tr : " "); do
  case $folder in
    /tmp) ;;
    /tmp/*) mkdir -p "/mnt$folder"; mount --rbind "$folder" "/mnt$folder" ;;
  esac
done
mount --rbind /mnt/tmp /tmp
echo $$ >"$1/$0.pid"
until [ -e "/sys/class/net/$3" ] || ip link show "$3" >/dev/null 2>&1; do sleep 0.05; done
ip link set lo up
ip addr add "$2/24" dev "$3"
ip link set "$3" up
exec /usr/sbin/sshd -D -f "$1/sshd_config.${0#node}" -E "$1/sshd.${0#node}.log"
'

keys() {
  for name in host_key id stranger; do
    [ -e "$directory/$name" ] || ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$directory/$name"
  done
  cp "$directory/id.pub" "$directory/authorized_keys"
  : >"$directory/known_hosts"
}

# sshd_config NUMBER ADDRESS PORT: with LINDEN_SSHD_OPTIONS, further lines.
sshd_config() {
  cat >"$directory/sshd_config.$1" <<END
Port $3
ListenAddress $2
HostKey $directory/host_key
PidFile $directory/sshd.$1.pid
AuthorizedKeysFile $directory/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PermitUserEnvironment no
MaxStartups 100
${LINDEN_SSHD_OPTIONS:-}
END
}

# known_host ADDRESS PORT
known_host() {
  [ "$2" = 22 ] && name=$1 || name="[$1]:$2"
  printf '%s %s\n' "$name" "$(cut -d' ' -f1,2 "$directory/host_key.pub")" >>"$directory/known_hosts"
}

# ssh_config ADDRESS PORT ADDRESS PORT: of node1 and node2.
ssh_config() {
  printf '%s %s\n' stranger "$(cut -d' ' -f1,2 "$directory/stranger.pub")" >>"$directory/known_hosts"
  cat >"$directory/ssh_config" <<END
Host node1
  HostName $1
  Port $2
Host node2
  HostName $3
  Port $4
Host closed
  HostName $1
  Port 9
Host stranger
  HostName $1
  Port $2
  HostKeyAlias stranger
  StrictHostKeyChecking yes
Host nokey
  HostName $1
  Port $2
  IdentityFile $directory/stranger
Host nowhere
  HostName nowhere.invalid
Host * !nokey
  IdentityFile $directory/id
Host *
  User $(id -un)
  IdentitiesOnly yes
  UserKnownHostsFile $directory/known_hosts
  GlobalKnownHostsFile /dev/null
END
}

try_login() {
  for host in node1 node2; do
    wait_for 10 ssh -F "$directory/ssh_config" -o BatchMode=yes $host true
  done
}

# Without namespaces: as this user, on ports above 1023; ends when the script does.
on_loopback() {
  keys
  rm -f "$directory"/node*.pid
  port=${LINDEN_SSHD_PORT:-22022}
  sshd_config 1 127.0.0.1 "$port"
  echo "ListenAddress 127.0.0.2" >>"$directory/sshd_config.1"
  known_host 127.0.0.1 "$port"
  known_host 127.0.0.2 "$port"
  ssh_config 127.0.0.1 "$port" 127.0.0.2 "$port"
  mkdir -p "$directory/bin"
  ln -sf "$(command -v ssh)" "$directory/bin/ssh"
  [ "$(id -u)" != 0 ] || mkdir -p /run/sshd
  /usr/sbin/sshd -D -f "$directory/sshd_config.1" -E "$directory/sshd.1.log" &
  sshd=$!
  trap 'kill $sshd; wait $sshd' EXIT
  try_login
  until_stdin_ends
}

if [ "${LINDEN_TEST_NAMESPACES:-1}" = 0 ]; then
  on_loopback
else
  enter_namespaces openssh-server openssh-client iproute2
fi
