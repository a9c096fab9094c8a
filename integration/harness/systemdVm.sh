#!/usr/bin/env bash
# A real systemd in a throw-away container on this machine's own files; nothing it writes reaches them.
# Needs root and Debian's systemd-container.
#
#   systemdVm.sh up NAME [systemd-nspawn options]   boots it, returns when systemd is ready
#   systemdVm.sh run NAME COMMAND...                runs a command in it
#   systemdVm.sh down NAME                          halts it and removes every trace
#   systemdVm.sh sweep                              takes down those whose owner (the pid in the name) is gone
set -euo pipefail
state=/run/smartstack-vm
operation=$1

# The cgroup trees in which the container needs a group of its own.
hierarchies() {
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    echo /sys/fs/cgroup
  else
    local tree
    for tree in /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do [ ! -d $tree ] || echo $tree; done
  fi
}

up() {
  local name=$1 tree nspawn leader='' tries
  shift
  local here=$state/$name
  mkdir -p "$here/root"
  mount --bind / "$here/root"
  for tree in $(hierarchies); do mkdir "$tree/$name"; done
  (
    for tree in $(hierarchies); do echo $BASHPID >"$tree/$name/cgroup.procs"; done
    # What set-up installed for tests of checks is no service of this machine: systemd would listen for it.
    # --keep-unit: the group above is the container's, whether or not this machine runs systemd.
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 exec systemd-nspawn --quiet --machine="$name" --directory="$here/root" \
      --volatile=overlay --register=no --keep-unit --console=pipe --link-journal=no \
      --kill-signal=SIGRTMIN+3 "$@" --boot systemd.unit=basic.target systemd.mask=mariadb.socket
  ) </dev/null >"$here/console" 2>&1 &
  nspawn=$!
  echo $nspawn >"$here/nspawn.pid"
  for ((tries = 0; tries < 500; tries++)); do
    kill -0 $nspawn 2>/dev/null || { cat "$here/console" >&2 && return 1; }
    leader=$(pgrep -P $nspawn -x systemd || true)
    if [ -n "$leader" ] && [ "$(awk '/^NSpid/ {print $NF}' "/proc/$leader/status")" = 1 ]; then break; fi
    sleep 0.02
  done
  echo "$leader" >"$here/leader.pid"
  for ((tries = 0; tries < 1000; tries++)); do
    case $(nsenter -t "$leader" -a systemctl is-system-running 2>/dev/null) in
      running | degraded) return 0 ;;
    esac
    sleep 0.02
  done
  cat "$here/console" >&2
  return 1
}

run() {
  local name=$1
  shift
  exec nsenter -t "$(cat "$state/$name/leader.pid")" -a "$@"
}

# True while PID is a live nspawn or systemd, and not a later process that got the number.
alive() { [ -e "/proc/$1/comm" ] && grep -qs '^systemd' "/proc/$1/comm"; }

down() {
  local name=$1 here=$state/$1 tree nspawn leader tries
  [ -d "$here" ] || return 0
  nspawn=$(cat "$here/nspawn.pid" 2>/dev/null || true)
  leader=$(cat "$here/leader.pid" 2>/dev/null || true)
  if [ -n "$leader" ] && alive "$leader"; then kill -s SIGRTMIN+3 "$leader" || true; fi
  if [ -n "$nspawn" ]; then
    for ((tries = 0; tries < 1000; tries++)); do
      alive "$nspawn" || break
      if [ $tries -eq 500 ] || [ -z "$leader" ]; then kill -KILL "$nspawn" "$leader" 2>/dev/null || true; fi
      sleep 0.02
    done
  fi
  for tree in $(hierarchies); do
    [ ! -d "$tree/$name" ] || find "$tree/$name" -depth -type d -exec rmdir {} \;
  done
  rm -rf "/run/systemd/nspawn/propagate/$name" "/run/systemd/nspawn/unix-export/$name"
  # Never anything recursive below: while it is mounted, that folder is this machine's root.
  if mountpoint -q "$here/root"; then umount "$here/root"; fi
  rmdir "$here/root"
  rm -f "$here/console" "$here/nspawn.pid" "$here/leader.pid"
  rmdir "$here"
  rmdir --ignore-fail-on-non-empty "$state"
}

sweep() {
  local here name owner
  for here in "$state"/*/; do
    [ -d "$here" ] || continue
    name=$(basename "$here")
    owner=${name#smartstack-}
    owner=${owner%%-*}
    [ -e "/proc/$owner" ] || down "$name"
  done
}

shift
case $operation in
  up | run | down | sweep) "$operation" "$@" ;;
  *) echo "systemdVm.sh: unknown operation $operation" >&2 && exit 64 ;;
esac
