#!/bin/sh
# Writes a greeting in three languages, slowly enough to see the log grow.
set -eu
mkdir -p out
rm -f out/greeting.txt
greet() {
	echo "building $1"
	echo "$1: $2" >>out/greeting.txt
	sleep 0.3
}
greet English "Hello, $1!"
greet German "Hallo, $1!"
greet Spanish "¡Hola, $1!"
