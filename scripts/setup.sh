#!/usr/bin/env bash
# Brings this machine to the point where `npm run demo` or `npm test` can start.
# Does only what is missing; run it as often as you like.
#
#   scripts/setup.sh [demo|test] [--quiet]
#
#   demo      what the demo needs: HAProxy, ZooKeeper, npm modules, build (the default)
#   test      the same and what the integration tests run
#   --quiet   say nothing unless there is something to do
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PATH:/usr/sbin:/sbin"

node_needed=20.19
profile=demo
quiet=false
for argument in "$@"; do
  case $argument in
    demo | test) profile=$argument ;;
    --quiet) quiet=true ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" && exit 0 ;;
    *) echo "set-up: unknown argument: $argument (see scripts/setup.sh --help)" >&2 && exit 64 ;;
  esac
done

say() { echo "set-up: $*"; }
fine() { $quiet || say "$*"; }
stop() {
  echo "set-up: $1" >&2
  shift
  [ $# -eq 0 ] || printf '%s\n' "$@" >&2
  exit 1
}

check_node() {
  version=$(node -p process.versions.node 2>/dev/null) ||
    stop "Node.js $node_needed or newer is needed, and there is no node on the PATH." \
      'Get it from https://nodejs.org/ (Debian 12 itself only has version 18).'
  if [ "$(printf '%s\n' "$node_needed" "$version" | sort -V | head -n 1)" != "$node_needed" ]; then
    stop "Node.js $node_needed or newer is needed; $(command -v node) is $version." \
      'Get a newer one from https://nodejs.org/ (Debian 12 itself only has version 18).'
  fi
  fine "Node.js $version"
}

# What a profile needs: a Debian package, and the command or file that proves it is there.
# Whoever has HAProxy from elsewhere on the PATH does not get Debian's.
needs() {
  echo 'haproxy haproxy'
  # ZooKeeper's jar and a Java without a desktop: the package `zookeeper` adds only scripts and a bigger Java.
  echo 'libzookeeper-java /usr/share/java/zookeeper.jar'
  echo 'default-jre-headless java'
  if [ "$profile" = test ]; then
    echo 'prometheus prometheus'
    echo 'etcd-server etcd'
    echo 'systemd-container systemd-nspawn'
    echo 'openssl openssl'
    echo 'curl curl'
    echo 'procps pgrep'
    echo 'iproute2 ip'
    echo 'dnsmasq-base dnsmasq'
    echo 'redis-server redis-server'
    echo 'rabbitmq-server /usr/lib/rabbitmq/bin/rabbitmq-server'
    echo 'postgresql pg_ctlcluster'
    echo 'mariadb-server mariadbd'
    echo 'nginx nginx'
    echo 'libnginx-mod-stream /usr/lib/nginx/modules/ngx_stream_module.so'
    echo 'chromium chromium'
    echo 'wrk wrk'
  fi
}

there() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# The daemons that Debian starts on installation of a package, and enables at boot.
daemons_of() {
  case $1 in
    haproxy | prometheus | redis-server) echo "$1" ;;
    etcd-server) echo 'etcd' ;;
    rabbitmq-server) echo 'rabbitmq-server epmd' ;;
    postgresql) echo 'postgresql' ;;
    mariadb-server) echo 'mariadb' ;;
    nginx) echo 'nginx' ;;
  esac
}

# Debian's documented hook: keeps the daemons that we install from starting, and nobody else's.
# usage: write_policy FILE DAEMON...
write_policy() {
  local file=$1 names
  shift
  names=$(IFS='|' && echo "$*")
  cat >"$file" <<POLICY
#!/bin/sh
# Written by the SmartStack set-up for the time of one apt-get install.
while :; do case "\$1" in --*) shift ;; *) break ;; esac; done
name=\${1%.service}
case "\${name%.socket}" in $names) exit 101 ;; esac
exit 0
POLICY
  chmod 755 "$file"
}

install_packages() {
  local missing=("$@") new=() package policy=/usr/sbin/policy-rc.d
  local apt=(apt-get install -y --no-install-recommends "${missing[@]}")
  command -v apt-get >/dev/null ||
    stop "missing: ${missing[*]} (Debian's names). This machine has no apt-get: install them your way."
  if [ "$(id -u)" -ne 0 ]; then
    stop "missing: ${missing[*]}. Install with:" '' "  sudo apt-get update && sudo ${apt[*]}" '' 'and run the command again.'
  fi
  # shellcheck disable=SC2207
  for package in "${missing[@]}"; do new+=($(daemons_of "$package")); done
  say "installing ${missing[*]}"
  if [ ! -e "$policy" ] && [ ${#new[@]} -gt 0 ]; then
    write_policy "$policy" "${new[@]}"
    # shellcheck disable=SC2064
    trap "rm -f $policy" EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  local log
  log=$(mktemp)
  local option=(-q -o 'DPkg::Lock::Timeout=300')
  if ! "${apt[@]}" "${option[@]}" >"$log" 2>&1; then
    # The package lists are missing on a fresh machine, or point at versions that are gone.
    if ! { apt-get update "${option[@]}" && "${apt[@]}" "${option[@]}"; } >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      stop "apt-get could not install ${missing[*]} (its last lines are above; all of it in $log)."
    fi
  fi
  rm -f "$log"
  if [ ${#new[@]} -gt 0 ]; then
    if [ -d /run/systemd/system ]; then
      # Only what was installed a moment ago; a daemon that was here before is never touched.
      local units=("${new[@]/%/.service}")
      # Started by whoever asks it for a name.
      case " ${new[*]} " in *' epmd '*) units+=(epmd.socket) ;; esac
      case " ${new[*]} " in *' mariadb '*) units+=(mariadb.socket) ;; esac
      systemctl disable --quiet --now "${units[@]}"
      say "left stopped and disabled: ${new[*]}"
    fi
    trap - EXIT
    if [ -e "$policy" ] && grep -q 'SmartStack set-up' "$policy"; then rm -f "$policy"; fi
  fi
}

check_packages() {
  local package proof missing=()
  while read -r package proof; do
    there "$proof" || missing+=("$package")
  done < <(needs)
  if [ ${#missing[@]} -gt 0 ]; then
    install_packages "${missing[@]}"
    while read -r package proof; do
      there "$proof" || stop "$package was installed, but $proof is still not there."
    done < <(needs)
  fi
  fine "packages for the $profile"
}

# True when every module of the lock file is installed in its version.
modules_installed() {
  [ -e node_modules/.package-lock.json ] || return 1
  [ package-lock.json -nt node_modules/.package-lock.json ] || return 0
  node -e '
    const read = (file) => JSON.parse(require("fs").readFileSync(file, "utf8")).packages;
    const installed = read("node_modules/.package-lock.json");
    const missing = Object.entries(read("package-lock.json")).filter(([path, want]) =>
      path.includes("node_modules/") && !want.link && !want.optional && !want.devOptional && installed[path]?.version !== want.version);
    process.exit(missing.length ? 1 : 0);' && touch -c node_modules/.package-lock.json
}

check_modules() {
  if ! modules_installed; then
    say 'installing the npm modules of package-lock.json'
    npm ci --no-audit --no-fund --loglevel=error || stop 'npm ci failed (see above).'
  fi
  fine 'npm modules'
}

check_build() {
  local stamp=node_modules/.smartstack-build package
  local outputs=(packages/nerve/dist/nerve.cjs packages/synapse/dist/synapse.cjs packages/synapse/dist/dashboard.html)
  local stale=false
  for package in "${outputs[@]}"; do [ -e "$package" ] || stale=true; done
  # What was compiled ahead is of use to the same version of Node.js only.
  [ "$(cat "$stamp" 2>/dev/null)" = "$version" ] || stale=true
  # Folders are compared as well: a deleted file makes its folder newer.
  if ! $stale && [ -n "$(find packages/*/src packages/*/tsconfig*.json packages/*/package.json tsconfig*.json \
    scripts package-lock.json -newer "$stamp" -print -quit)" ]; then stale=true; fi
  if $stale; then
    say 'building'
    echo "$version" >"$stamp.new"
    npm run --silent build || stop 'the build failed (see above).'
    mv "$stamp.new" "$stamp"
  fi
  fine 'build'
}

# Two set-ups of one working copy wait for each other.
exec 9<.
if command -v flock >/dev/null; then flock 9; fi
check_node
check_packages
check_modules
check_build
