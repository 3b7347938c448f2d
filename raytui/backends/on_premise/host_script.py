"""The one sh script by which hosts are claimed, cleaned and asked; it runs on the host itself.

Claims are for all clusters that share hosts, so they lie where every user of the host sees them:
in a file that says whose the host is, changed only under a lock that the kernel frees when its
holder dies. A claim is a lease: its file's time is that of its holder's last look.
"""

from __future__ import annotations

from raytui.backends.marked_processes import FUNCTIONS, instance_mark

PLACE = "/var/tmp/raytui"  # noqa: S108 - made sticky and checked; survives a reboot as it must
"""Where the claim lies on a host."""

_OF_IDS = f"""
of_ids() {{  # a function, then ids: called with the marks of their processes
  function=$1
  shift
  for id; do
    shift
    set -- "$@" "{instance_mark("$id")}"
  done
  $function "$@"
}}
"""

SCRIPT = (
    FUNCTIONS
    + _OF_IDS
    + r"""
place=/var/tmp/raytui claim=/var/tmp/raytui/claim
notes=${XDG_CACHE_HOME:-$HOME/.cache}/raytui note=$notes/set-up
verb=$1 cluster=$2
shift 2

trouble() { echo "trouble $*"; exit 3; }

lock() {
  command -v flock >/dev/null || trouble "flock is missing there (util-linux)"
  [ -d $place ] || mkdir -m 1777 $place 2>/dev/null
  [ -d $place ] && [ ! -L $place ] || trouble "$place cannot be made"
  [ -r $place ] || trouble "$place cannot be opened"
  exec 9<$place
  flock -w 15 9 || trouble "flock -w 15 $place failed: another look takes too long"
}
unlock() { exec 9<&-; }

read_claim() {
  owner= holder= since= engine= container= request= type= age=
  [ -f $claim ] || return 0
  { read -r owner; read -r holder; read -r since; read -r engine; read -r container
    read -r request; read -r type; } <$claim
  age=$(($(date +%s) - $(stat -c %Y $claim)))
}

write_claim() {
  new=$(umask 077 && mktemp $place/.claim.XXXXXX) || trouble "$place cannot be written to"
  if printf '%s\n' "$cluster" "$@" >$new && chmod 644 $new; then
    mv -f $new $claim 2>/dev/null && return
  else
    rm -f $new
    trouble "$claim cannot be written: is the disk full?"
  fi
  rm -f $new
  trouble "the claim of $owner on this host has run out, but only $(stat -c %U $claim) or root" \
    "may remove it: rm $claim"
}

known_engine() {
  case $1 in docker | podman) [ -n "$2" ] && command -v $1 >/dev/null ;; *) false ;; esac
}

container_runs() { known_engine "$1" "$2" && [ -n "$($1 ps -q -f "name=^$2\$" 2>/dev/null)" ]; }

runs() { of_ids find_members "$1"; [ "$members" != ' ' ] || container_runs "$2" "$3"; }

heads() {  # pids of what any Ray cluster has for its head here
  for comm in /proc/[0-9]*/comm; do
    { read -r name <$comm; } 2>/dev/null && [ "$name" = gcs_server ] || continue
    pid=${comm#/proc/}
    echo ${pid%/comm}
  done
}

stop_processes() {
  of_ids 'end_marked politely' "$@" || trouble "processes do not end even when killed:" $members
}

tell_ray() {  # whether the raylet of an instance runs; in a container, whether that does
  if known_engine "$2" "$3"; then
    container_runs "$2" "$3" && echo "ray yes" || echo "ray no"
    return
  fi
  for pid in $(of_ids bearers "$1"); do
    read -r name 2>/dev/null </proc/$pid/comm && [ "$name" = raylet ] && echo "ray yes" && return
  done
  echo "ray no"
}

read_note() {
  by= made=
  [ ! -f "$note" ] || { read -r by; read -r made; } <"$note"
}
tell_note() { read_note; [ "$by" != "$cluster" ] || echo "note $made"; }
drop_note() { read_note; [ "$by" = "$cluster" ] || rm -f "$note"; }  # who claims may change all

case $verb in
hold) # lease, then the claim: instance, since, engine, container, request, type; then ids to clean
  lease=$1 id=$2 our_engine=$4 our_container=$5
  lock
  read_claim
  if [ -n "$owner" ] && [ "$owner" != "$cluster" ]; then
    if [ $age -lt $lease ] || runs "$holder" "$engine" "$container"; then
      echo "taken $age $owner"
      exit 0
    fi
  fi
  if [ "$owner" != "$cluster" ]; then  # a start of Ray may well begin with `ray stop`
    found=$(heads)
    [ -z "$found" ] || { echo head $found; exit 0; }
  fi
  [ -n "$owner" ] || rm -f $place/.claim.*
  write_claim "$2" "$3" "$4" "$5" "$6" "$7"
  drop_note
  unlock
  shift 7
  if [ "$owner" = "$cluster" ] && [ "$holder" != "$id" ]; then set -- "$@" "$holder"; fi
  if [ $# -gt 0 ]; then
    known_engine "$our_engine" "$our_container" &&
      $our_engine stop -t 5 "$our_container" >/dev/null 2>&1
    stop_processes "$@"
  fi
  echo held
  tell_ray "$id" "$our_engine" "$our_container"
  tell_note
  ;;
release) # whether the claim stays, then ids
  keep=$1
  shift
  read_claim
  ours=
  for id; do
    [ "$owner" = "$cluster" ] && [ "$holder" = "$id" ] && ours=yes
  done
  if [ -n "$ours" ] && known_engine "$engine" "$container"; then
    $engine stop -t 5 "$container" >/dev/null 2>&1
  fi
  stop_processes "$@"
  lock
  read_claim
  if [ "$keep" = no ]; then
    for id; do
      [ "$owner" = "$cluster" ] && [ "$holder" = "$id" ] && rm -f $claim
    done
  fi
  echo released
  ;;
note) # one line: what the host was made into
  umask 077
  mkdir -p "$notes" && printf '%s\n' "$cluster" "$1" >"$note.new" && mv -f "$note.new" "$note" &&
    echo noted
  ;;
ask)
  read_claim
  [ -n "$owner" ] && printf '%s\n' "owner $owner" "holder $holder" "since $since" \
    "request $request" "type $type"
  tell_note
  echo "cpus $(nproc)"
  while read -r name kib unit; do
    [ "$name" = MemTotal: ] && echo "memory_kib $kib"
  done </proc/meminfo
  command -v nvidia-smi >/dev/null && timeout 10 nvidia-smi --query-gpu=memory.total,name \
    --format=csv,noheader,nounits 2>/dev/null | sed 's/^/gpu /'
  echo asked
  ;;
esac
"""
)
