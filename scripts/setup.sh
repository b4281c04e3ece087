#!/bin/sh
# Installs what tests need and this machine lacks, by Debian package name, and
# downloads Go modules. The only step of the tests that uses a network.
set -eu
missing=
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need git git
need curl curl
need bash bash
need chromium chromium
[ -x /usr/sbin/nginx ] || need nginx nginx-light
postgres=
command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || postgres=postgresql
if [ -n "$missing$postgres" ]; then
	echo "setup: installing$missing $postgres"
	export DEBIAN_FRONTEND=noninteractive
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then # tests want the programs; nobody asked for a web server on port 80
		trap 'rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	apt-get update -qq
	# shellcheck disable=SC2086 # a list of packages
	[ -z "$missing" ] || apt-get install -y -qq --no-install-recommends $missing
	if [ -n "$postgres" ]; then # its programs only: tests start servers of their own
		apt-get install -y -qq --no-install-recommends postgresql-common
		echo 'create_main_cluster = false' >>/etc/postgresql-common/createcluster.conf
		apt-get install -y -qq --no-install-recommends "$postgres"
	fi
fi
go mod download
