#!/bin/sh
# The load run of docs/benchmarks.md: the yardstick and the server in turn, in one
# run on one machine, so that their ratio means something.
set -eu
go build -trimpath -o bin/lanyard ./cmd/lanyard
go build -o bin/prototype ./bench/prototype
go build -o bin/load ./bench/load
for round in ${ROUNDS:-1 2 3}; do
	echo "round $round"
	printf 'yardstick  '
	bin/prototype -c 32 -t 3s
	printf 'server     '
	bin/load -c 32 -t 3s
done
