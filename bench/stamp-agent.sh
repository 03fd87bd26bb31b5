#!/bin/sh
# An agent that does nothing but say when it was launched, by its own clock: stamp-agent.sh FILE
date +%s%N > "$1"
