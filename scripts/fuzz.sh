#!/bin/sh
# Runs every fuzz target of the tree, one after the other, for the time given each.
set -eu
time=${1:-10m}
grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' internal | xargs -n1 dirname | sort -u | while read -r dir; do
	grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | sed 's/^func //' | sort -u | while read -r target; do
		echo "== $dir $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$dir"
	done
done
