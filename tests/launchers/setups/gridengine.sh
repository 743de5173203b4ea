#!/bin/sh
# A real Grid Engine (Debian's 8.1.9) of one host with four slots, in namespaces of its own.
#
#   gridengine.sh DIRECTORY    says "ready", runs until its stdin ends; the commands are then in DIRECTORY/bin
directory=$1
script=$(readlink -f "$0")
. "$(dirname "$script")/namespaces.sh"

hub() {
  host=sgehost
  own_host $host 10.98.0.1/24
  root=/var/lib/gridengine
  export SGE_ROOT=$root SGE_CELL=default SGE_QMASTER_PORT=6444 SGE_EXECD_PORT=6445
  inside_environment="env SGE_ROOT=$root SGE_CELL=default SGE_QMASTER_PORT=6444 SGE_EXECD_PORT=6445"
  mkdir -p /var/spool/gridengine/qmaster/job_scripts /var/spool/gridengine/spooldb /var/spool/gridengine/execd $root/default/common
  echo $host >$root/default/common/act_qmaster
  # Or sge_qmaster, which is sgeadmin, dies without a word.
  chown -R sgeadmin:sgeadmin /var/spool/gridengine $root/default
  runuser -u sgeadmin -- /usr/share/gridengine/scripts/init_cluster $root default /var/spool/gridengine/spooldb sgeadmin \
    >"$directory/setup.log" 2>&1
  sge_qmaster >>"$directory/setup.log" 2>&1
  wait_for 30 qping -info $host 6444 qmaster 1
  configure >>"$directory/setup.log" 2>&1
  sge_execd >>"$directory/setup.log" 2>&1
  wait_for 30 sh -c "qstat -f | grep -q 'lx-amd64 *\$'"
  command_for qsub qstat qdel qhold qrls qacct qconf qhost qping qmod
  until_stdin_ends
}

configure() {
  cd "$directory"
  qconf -as $host
  printf '%s NONE\n' load_scaling complex_values user_lists xuser_lists projects xprojects usage_scaling report_variables >execution-host
  printf 'hostname %s\n' $host | cat - execution-host >execution-host.all
  qconf -Ae execution-host.all
  printf 'group_name @allhosts\nhostlist %s\n' $host >host-group
  qconf -Ahgrp host-group
  printf '%s\n' "pe_name smp" "slots 4" "user_lists NONE" "xuser_lists NONE" "start_proc_args NONE" "stop_proc_args NONE" \
    "allocation_rule \$pe_slots" "control_slaves FALSE" "job_is_first_task TRUE" "urgency_slots min" "accounting_summary FALSE" "qsort_args NONE" >pe
  qconf -Ap pe
  # Without a name, -sq prints a template.
  qconf -sq | sed 's/^qname.*/qname all.q/;s/^hostlist.*/hostlist @allhosts/;s/^slots.*/slots 4/;s/^pe_list.*/pe_list smp/;s#^shell .*#shell /bin/sh#;s/^shell_start_mode.*/shell_start_mode unix_behavior/;s/^load_thresholds.*/load_thresholds NONE/' >queue
  qconf -Aq queue
  qconf -ssconf | sed 's/^schedule_interval.*/schedule_interval 0:0:1/;s/^flush_\(submit\|finish\)_sec.*/flush_\1_sec 1/' >scheduler
  qconf -Msconf scheduler
  # min_uid 0: root may run jobs.  flush_time: qacct knows of a job a second after its end.
  qconf -sconf | sed 's/^load_report_time.*/load_report_time 00:00:01/;s/^min_uid.*/min_uid 0/;s/^min_gid.*/min_gid 0/;s/^gid_range.*/gid_range 20000-20100/;s/flush_time=[0-9:]*/flush_time=00:00:01/' >global
  qconf -Mconf global
}

enter_namespaces gridengine-master gridengine-exec gridengine-client iproute2
