#!/bin/sh
# A real Slurm of two nodes with two processors each, in namespaces of its own.
#
#   slurm.sh DIRECTORY    says "ready", runs until its stdin ends; the commands are then in DIRECTORY/bin
#
# LINDEN_SLURM_ACCOUNTING=1: with slurmdbd on MariaDB, so that sacct answers.
# LINDEN_SLURM_TORQUE=1: with the commands of Torque (qsub, qstat, qdel, ...) that Debian has for Slurm.
directory=$1
script=$(readlink -f "$0")
. "$(dirname "$script")/namespaces.sh"

packages="munge slurm-wlm iproute2"
commands="sbatch srun squeue scancel sinfo scontrol sacct salloc"
[ -z "${LINDEN_SLURM_ACCOUNTING:-}" ] || packages="$packages slurmdbd mariadb-server"
if [ -n "${LINDEN_SLURM_TORQUE:-}" ]; then
  packages="$packages slurm-wlm-torque"
  commands="$commands qsub qstat qdel qhold qrls qalter pbsnodes"
fi

hub() {
  own_host slurmhost 10.99.0.1/24
  state=/var/lib/linden-slurm
  # A step of PMIx has one folder for each node, whose name does not tell nodes of one machine apart.
  mkdir -p $state/state $state/spool $state/log $state/tmp.n1 $state/tmp.n2 /run/munge /etc/munge
  chmod 755 $state
  if [ ! -s /etc/munge/munge.key ]; then dd if=/dev/urandom of=/etc/munge/munge.key bs=1 count=1024 status=none; fi
  chmod 400 /etc/munge/munge.key
  chown -R root:root /etc/munge /run/munge /var/log/munge /var/lib/munge
  chmod 755 /run/munge
  munged --force
  # Slurm looks for libpmix.so, which Debian keeps where only Open MPI finds it.
  for library in /usr/lib/*/pmix2/lib/libpmix.so.2; do
    [ ! -e "$library" ] || ln -sf "$library" "$(dirname "$library")/libpmix.so"
    dirname "$library"
  done >/etc/ld.so.conf.d/linden-pmix.conf
  ldconfig
  accounting="AccountingStorageType=accounting_storage/none"
  [ -z "${LINDEN_SLURM_ACCOUNTING:-}" ] || start_accounting
  write_slurm_conf
  slurmctld -i
  slurmd -N n1
  slurmd -N n2
  wait_for 30 sh -c 'sinfo -h -o %T | grep -qx idle'
  wait_for 30 sh -c '[ "$(sinfo -h -N -t idle | wc -l)" = 2 ]'
  # shellcheck disable=SC2086
  command_for $commands
  until_stdin_ends
}

write_slurm_conf() {
  mkdir -p /etc/slurm
  cat >/etc/slurm/slurm.conf <<END
ClusterName=linden
SlurmctldHost=slurmhost(10.99.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=$state/state
SlurmdSpoolDir=$state/spool/%n
TmpFS=$state/tmp.%n
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.%n.pid
SlurmctldLogFile=$state/log/slurmctld
SlurmdLogFile=$state/log/slurmd.%n
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
$accounting
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
KillWait=2
MinJobAge=300
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
NodeName=n1 NodeHostname=slurmhost NodeAddr=10.99.0.1 Port=16821 CPUs=2 State=UNKNOWN
NodeName=n2 NodeHostname=slurmhost NodeAddr=10.99.0.1 Port=16822 CPUs=2 State=UNKNOWN
PartitionName=debug Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
END
}

start_accounting() {
  accounting="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=slurmhost"
  mariadb-install-db --no-defaults --datadir=$state/db --user=root --auth-root-authentication-method=normal >$state/log/db 2>&1
  mariadbd --no-defaults --datadir=$state/db --user=root --socket=$state/db.sock --port=13306 --bind-address=127.0.0.1 \
    >>$state/log/db 2>&1 &
  wait_for 30 mariadb --no-defaults -S $state/db.sock -e 'select 1'
  mariadb --no-defaults -S $state/db.sock -e "create database slurm_acct_db;
    create user 'slurm'@'127.0.0.1' identified by 'slurm'; grant all on slurm_acct_db.* to 'slurm'@'127.0.0.1';
    create user 'slurm'@'localhost' identified by 'slurm'; grant all on slurm_acct_db.* to 'slurm'@'localhost'"
  mkdir -p /etc/slurm
  cat >/etc/slurm/slurmdbd.conf <<END
DbdHost=slurmhost
DbdAddr=10.99.0.1
SlurmUser=root
LogFile=$state/log/slurmdbd
PidFile=/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=13306
StorageUser=slurm
StoragePass=slurm
END
  chmod 600 /etc/slurm/slurmdbd.conf
  write_slurm_conf
  slurmdbd
  wait_for 30 sacctmgr -n list cluster
  sacctmgr -i add cluster linden >>$state/log/sacctmgr 2>&1
}

# shellcheck disable=SC2086
enter_namespaces $packages
