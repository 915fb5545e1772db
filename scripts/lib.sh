# Shared by the scripts of this folder; sourced, bash.
# shellcheck shell=bash

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
STATE=${PENSTOCK_STATE:-$ROOT/var}
case $STATE in /*) ;; *) STATE=$PWD/$STATE ;; esac
PORT=${PENSTOCK_PORT:-8443}
case $PORT in
*[!0-9]* | ??????*)
	printf 'penstock: PENSTOCK_PORT is no port: %s\n' "$PORT" >&2
	exit 1
	;;
esac
# shellcheck disable=SC2034 # read by scripts/run
GATEWAY_PORT=${PENSTOCK_GATEWAY_PORT:-$((PORT + 1))}
BUILD=${PENSTOCK_BUILD:-$ROOT/build}
URL=https://127.0.0.1:$PORT
PGBIN=/usr/lib/postgresql/15/bin
SERVICE_USER=penstock
INSTALLED= # not empty: packages came in during this run

say() { printf '%s\n' "$*"; }
die() {
	printf 'penstock: %s\n' "$*" >&2
	exit 1
}

# --- packages ---------------------------------------------------------------

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "needs root for: $*   (no sudo here; run this once as root)"
	fi
}

# need_packages GROUP...: installs by name what dpkg does not know as
# installed. The servers' own units are kept from starting: Penstock starts
# its own under the state folder.
need_packages() {
	local group name missing=()
	for group in "$@"; do
		for name in $(sed -n "s/^$group //p" "$ROOT/scripts/packages"); do
			dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null |
			    grep -qx installed || missing+=("$name")
		done
	done
	[ ${#missing[@]} -eq 0 ] && return
	say "installing: ${missing[*]}"
	local made_policy=
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
		as_root chmod 755 /usr/sbin/policy-rc.d
		made_policy=1
	fi
	local ok=1
	{ as_root apt-get update -qq &&
	    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends "${missing[@]}" >/dev/null; } || ok=
	[ -z "$made_policy" ] || as_root rm -f /usr/sbin/policy-rc.d
	[ -n "$ok" ] || die "apt-get could not install: ${missing[*]}"
	INSTALLED=1
}

# --- build ------------------------------------------------------------------

# build [DIR [MESON-OPTION...]]
build() {
	local dir=${1:-$BUILD}
	shift || true
	[ -f "$dir/build.ninja" ] ||
	    meson setup "$dir" "$ROOT" "$@" >"$dir.log" 2>&1 ||
	    { cat "$dir.log" >&2; die "meson could not set up $dir"; }
	rm -f "$dir.log"
	# Statements, migrations and the contract's files are listed when meson
	# runs, and libraries that were not there before are found.
	if [ -n "$INSTALLED" ] ||
	    [ -n "$(find "$ROOT/sql" "$ROOT/assets/contract" -newer "$dir/build.ninja" -print -quit)" ]; then
		meson setup --reconfigure "$dir" "$ROOT" >/dev/null
	fi
	ninja -C "$dir" --quiet || die "the build failed"
}

# --- the user that runs the servers, and its state folder --------------------

# PostgreSQL refuses root, and nothing here needs it.
AS_SERVICE=()
# HOME: libpq looks for certificates there, and may not be in root's.
[ "$(id -u)" -ne 0 ] || AS_SERVICE=(env HOME=/nonexistent setpriv
    --reuid="$SERVICE_USER"
    --regid="$SERVICE_USER" --clear-groups --inh-caps=-all)
as_service() { "${AS_SERVICE[@]}" "$@"; }

# Resolves STATE and makes it. A root's clone may lie where the service user
# cannot go; then the state goes to /var/lib/penstock and STATE is a link.
prepare_state() {
	if [ "$(id -u)" -eq 0 ] && ! id "$SERVICE_USER" >/dev/null 2>&1; then
		useradd --system --no-create-home --home-dir /nonexistent \
		    --shell /usr/sbin/nologin "$SERVICE_USER"
	fi
	if [ ! -e "$STATE" ]; then
		mkdir -p "$(dirname "$STATE")"
		if as_service test -x "$(dirname "$STATE")"; then
			mkdir "$STATE"
		else
			local other
			other=/var/lib/penstock/$(printf %s "$STATE" | sha256sum | cut -c1-12)
			mkdir -p "$other"
			ln -s "$other" "$STATE"
			say "state: $other (the service user cannot enter $(dirname "$STATE"))"
		fi
	fi
	STATE=$(readlink -f "$STATE")
	mkdir -p "$STATE"/{log,pid,secrets,lib,redis}
	# Socket paths are limited to 107 bytes.
	if [ ! -e "$STATE/sock" ]; then
		if [ ${#STATE} -gt 80 ]; then
			ln -sfn "$(mktemp -d /tmp/penstock.XXXXXX)" "$STATE/sock"
		else
			mkdir "$STATE/sock"
		fi
	fi
	SOCK=$(readlink -f "$STATE/sock")
	mkdir -p "$SOCK"
	if [ "$(id -u)" -eq 0 ]; then
		chown "$SERVICE_USER:" "$STATE" "$SOCK" "$STATE"/{log,pid,secrets,lib,redis}
	fi
	chmod 700 "$SOCK" "$STATE/secrets" "$STATE/redis"
}

use_state() {
	[ -d "$STATE" ] || die "no state at $STATE; start it with scripts/run"
	STATE=$(readlink -f "$STATE")
	SOCK=$(readlink -f "$STATE/sock")
}

# The service's settings, as scripts/run wrote them. What is in the
# environment already (PENSTOCK_LOOP_PERIOD=1000 …) wins.
service_env() {
	local line name
	while IFS= read -r line; do
		name=${line%%=*}
		[ -n "${!name:-}" ] || eval "export $line"
	done <"$STATE/penstock.env"
}

# --- processes ----------------------------------------------------------------

# A pid file holds "PID STARTTIME", so that a reused pid is never taken for
# ours.
# A zombie, which a container's first process may leave for ever, is not ours
# any more either.
start_time() {
	local stat
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
	# shellcheck disable=SC2086 # its fields, from the third on
	set -- ${stat##*) }
	case $1 in Z | X) ;; *) printf '%s\n' "${20}" ;; esac
}

running() { # NAME
	local pid start
	[ -f "$STATE/pid/$1" ] || return 1
	read -r pid start <"$STATE/pid/$1" || return 1
	[ -n "$start" ] && [ "$(start_time "$pid")" = "$start" ]
}

pid_of() { cut -d' ' -f1 "$STATE/pid/$1"; }

# mark_log NAME: what last_words tells begins here.
mark_log() { LOG_FROM=$(stat -c %s "$STATE/log/$1.log" 2>/dev/null || printf 0); }

# launch NAME COMMAND...: in a session of its own, log to log/NAME.log.
launch() {
	local name=$1 pid
	shift
	mark_log "$name"
	# exec all the way, so that $! is the server's own pid; setsid, so that
	# a Ctrl-C reaches only scripts/run, which stops things in order.
	# shellcheck disable=SC2016
	"${AS_SERVICE[@]}" sh -c 'log=$1; shift; exec setsid "$@" >>"$log" 2>&1 </dev/null' \
	    sh "$STATE/log/$name.log" "$@" &
	pid=$!
	disown "$pid" 2>/dev/null || true
	rm -f "$STATE/pid/$name" # perhaps another user's
	printf '%s %s\n' "$pid" "$(start_time "$pid")" >"$STATE/pid/$name"
}

# last_words NAME: what the one launched last said; the log holds earlier
# starts too, whose reasons are not this one's.
last_words() { tail -c "+$((LOG_FROM + 1))" "$STATE/log/$1.log" | tail -5 >&2; }

# halt NAME SIGNAL SECONDS: SIGKILL after that.
halt() {
	local name=$1 signal=$2 seconds=$3 pid
	running "$name" || { rm -f "$STATE/pid/$name"; return 0; }
	pid=$(pid_of "$name")
	kill "-$signal" "$pid" 2>/dev/null || true
	for _ in $(seq $((seconds * 20))); do
		running "$name" || break
		sleep 0.05
	done
	if running "$name"; then
		say "$name did not stop within $seconds s: killed" || true
		kill -KILL "$pid" 2>/dev/null || true
	fi
	rm -f "$STATE/pid/$name"
}

# The watch and whatever it is waiting for; never what it has started.
halt_watch() {
	! running watch || kill -TERM -- "-$(pid_of watch)" 2>/dev/null || true
	halt watch TERM 2
}

# --- PostgreSQL and Redis -----------------------------------------------------

postgres_init() {
	[ -f "$STATE/pg/PG_VERSION" ] && return
	say "creating the PostgreSQL cluster"
	mkdir -p "$STATE/pg"
	[ "$(id -u)" -ne 0 ] || chown "$SERVICE_USER:" "$STATE/pg"
	chmod 700 "$STATE/pg"
	# Only the socket, and only this user reaches its folder (mode 0700).
	(cd "$STATE" && as_service "$PGBIN/initdb" -D "$STATE/pg" -U penstock \
	    -A trust -E UTF8 --locale=C.UTF-8 --no-instructions \
	    >"$STATE/log/initdb.log" 2>&1) || { cat "$STATE/log/initdb.log" >&2; die "initdb failed"; }
	as_service tee -a "$STATE/pg/postgresql.conf" >/dev/null <<-EOF

		# Penstock's own
		listen_addresses = ''
		timezone = 'UTC'
		log_timezone = 'UTC'
		shared_buffers = 256MB
		max_wal_size = 4GB
		wal_compression = lz4
		jit = off
		autovacuum_naptime = 10s
	EOF
}

# A postmaster that was killed may stay a zombie, and PostgreSQL takes its pid
# file for a running server's. Its backends end by themselves; each has the
# data folder as its working directory.
postgres_clear() {
	local pid
	[ -f "$STATE/pg/postmaster.pid" ] || return 0
	pid=$(head -n 1 "$STATE/pg/postmaster.pid")
	[ -z "$(start_time "$pid")" ] || return 0
	for _ in $(seq 100); do
		if ! readlink /proc/[0-9]*/cwd 2>/dev/null | grep -qxF "$STATE/pg"; then
			rm -f "$STATE/pg/postmaster.pid" "$SOCK"/.s.PGSQL.5432{,.lock}
			return 0
		fi
		sleep 0.05
	done
	# Beside them another server would spoil the data.
	die "processes of the PostgreSQL that died are still at work"
}

postgres_start() {
	postgres_init
	running postgres && return
	postgres_clear
	# Not in its configuration: the state folder may have been moved.
	launch postgres "$PGBIN/postgres" -D "$STATE/pg" -k "$SOCK"
	for _ in $(seq 600); do
		psql_do -d postgres -c 'SELECT 1' >/dev/null 2>&1 && break
		running postgres || { last_words postgres; die "PostgreSQL did not start"; }
		sleep 0.1
	done
	psql_do -d postgres -Atc "SELECT 1 FROM pg_database WHERE datname = 'penstock'" |
	    grep -q 1 || psql_do -d postgres -qc 'CREATE DATABASE penstock'
	# Who serves and who archives; the owner, penstock, migrates.
	# shellcheck disable=SC2016
	psql_do -d postgres -qc 'DO $$ DECLARE r text; BEGIN
	    FOREACH r IN ARRAY $a${penstock_serve,penstock_archive}$a$::text[]
	    LOOP IF to_regrole(r) IS NULL THEN
	    EXECUTE format($a$CREATE ROLE %I LOGIN$a$, r);
	    END IF; END LOOP; END $$'
}

psql_do() { "$PGBIN/psql" -X -h "$SOCK" -U penstock -v ON_ERROR_STOP=1 "$@"; }

redis_start() {
	running redis && return
	launch redis redis-server --port 0 --unixsocket "$SOCK/redis.sock" \
	    --unixsocketperm 700 --dir "$STATE/redis" --save '' \
	    --appendonly no --maxmemory 512mb --maxmemory-policy allkeys-lru
	for _ in $(seq 100); do
		redis-cli -s "$SOCK/redis.sock" ping >/dev/null 2>&1 && return
		running redis || { last_words redis; die "Redis did not start"; }
		sleep 0.1
	done
	die "Redis did not answer"
}

# The archive's nightly run; it finds its settings in the environment.
archive_start() {
	running archive && return
	launch archive nice -n 19 "$STATE/lib/penstock-archive" nightly
}

# Readings from the MQTT broker that PENSTOCK_MQTT_BROKER names, if any; by
# default with the local device's key.
mqtt_start() {
	[ -n "${PENSTOCK_MQTT_BROKER:-}" ] || return 0
	running mqtt && return
	[ -n "${PENSTOCK_MQTT_KEY:-}" ] ||
	    export PENSTOCK_MQTT_KEY_FILE=${PENSTOCK_MQTT_KEY_FILE:-$STATE/secrets/device.key}
	export PENSTOCK_MQTT_SERVICE=${PENSTOCK_MQTT_SERVICE:-$URL}
	export PENSTOCK_MQTT_SERVICE_CA=${PENSTOCK_MQTT_SERVICE_CA:-$STATE/ca.pem}
	launch mqtt "$STATE/lib/penstock-mqtt"
}

# --- certificate and secrets ----------------------------------------------------

make_secrets() {
	local dir=$STATE/secrets
	if ! openssl x509 -checkend 604800 -noout -in "$dir/cert.pem" >/dev/null 2>&1; then
		(umask 077 && as_service openssl req -x509 -newkey ec \
		    -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
		    -subj /CN=localhost \
		    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
		    -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null)
	fi
	# The certificate is public: curl --cacert reads it without the secrets.
	as_service install -m 644 "$dir/cert.pem" "$STATE/ca.pem"
	local name
	for name in jwt gateways webhooks; do
		[ -s "$dir/$name" ] ||
		    (umask 077 && openssl rand -base64 48 | as_service tee "$dir/$name" >/dev/null)
	done
}

# database_url [DATABASE [ROLE]]: the owner's, unless a role is named.
database_url() {
	printf "host='%s' user=%s dbname=%s" "$SOCK" "${2:-penstock}" \
	    "${1:-penstock}"
}

# curl on the local service; answers on stdout, fails on HTTP errors.
api() { # METHOD PATH [TOKEN [JSON]]
	local args=(-sS --fail-with-body --cacert "$STATE/ca.pem" -X "$1" "$URL$2")
	[ -z "${3:-}" ] || args+=(-H "Authorization: Bearer $3")
	[ -z "${4:-}" ] || args+=(-H 'Content-Type: application/json' --data "$4")
	curl "${args[@]}"
}
