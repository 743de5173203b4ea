#!/bin/sh
# A real OAR (Debian's 2.5.9) of one host with four cores, its database and its node's sshd, in namespaces of its own.
#
#   oar.sh DIRECTORY    says "ready", runs until its stdin ends; the commands are then in DIRECTORY/bin
directory=$1
script=$(readlink -f "$0")
. "$(dirname "$script")/namespaces.sh"

hub() {
  host=oarhost
  own_host $host 10.97.0.1/24
  {
    start_database
    configure
    mkdir -p /run/sshd /run/oar /var/lib/oar
    chown oar:oar /run/oar
    : >/var/lib/oar/.batch_job_bashrc  # reads the user's .bashrc, which is nobody's concern here
    /usr/sbin/sshd -f /etc/oar/sshd_config
    /etc/init.d/oar-server start
    # As `oar_resources_init` makes them at sites.
    oarproperty -a core
    oarproperty -a memnode
    for core in 1 2 3 4; do oarnodesetting -a -h $host -p core=$core -p memnode=8000; done
  } >"$directory/setup.log" 2>&1
  wait_for 60 sh -c "oarnodes -s | grep -q Alive"
  command_for oarsub oarstat oardel oarnodes oarhold oarresume
  until_stdin_ends
}

start_database() {
  mkdir -p /run/postgresql
  chown postgres:postgres /run/postgresql
  version=$(ls /usr/lib/postgresql)
  pg_ctlcluster "$version" main start
  wait_for 30 pg_isready
}

configure() {
  sed -i "s/^DB_BASE_PASSWD=.*/DB_BASE_PASSWD=\"oar\"/;s/^DB_BASE_PASSWD_RO=.*/DB_BASE_PASSWD_RO=\"oar_ro\"/;s/^SERVER_HOSTNAME=.*/SERVER_HOSTNAME=\"$host\"/
    s/^#*SCHEDULER_JOB_SECURITY_TIME=.*/SCHEDULER_JOB_SECURITY_TIME=\"1\"/;s/^JOB_RESOURCE_MANAGER_PROPERTY_DB_FIELD=/#&/" /etc/oar/oar.conf
  printf 'ListenAddress 10.97.0.1\nListenAddress 127.0.0.1\nStrictModes no\n' >>/etc/oar/sshd_config
  oar-database --create --db-is-local -y
  # The user of these tests may be root, whom a rule refuses.
  runuser -u postgres -- psql -d oar -c "DELETE FROM admission_rules WHERE rule LIKE '%root and oar users are not allowed%'"
}

enter_namespaces oar-server oar-node oar-user oar-server-pgsql oar-user-pgsql postgresql-15 openssh-server iproute2
