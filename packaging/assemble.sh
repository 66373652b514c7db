#!/bin/sh
# Puts the product together, as it is published, with the packages that it needs at run time and nothing else.
# Run it in a checkout after `npm ci`: `sh packaging/assemble.sh DIRECTORY`. The Dockerfile and the test of packaging both do.
set -eu
out=$1
npm run --silent build
mkdir -p "$out"
cp package.json package-lock.json LICENSE README.md "$out"
cp -R bin dist "$out"
cd "$out"
# The workspace with a Node of its own stays behind: where this runs there is one.
npm ci --omit=dev --workspaces=false --ignore-scripts --no-audit --no-fund --loglevel=error
