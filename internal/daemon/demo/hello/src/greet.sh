#!/bin/sh
# Prints a greeting in three languages.
set -eu
echo "English: Hello, $1!"
echo "German: Hallo, $1!"
echo "Spanish: ¡Hola, $1!"
