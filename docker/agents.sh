#!/bin/sh
# The tmux server in which all agents live, in the foreground, and on when its last session has ended.
exec /usr/bin/tmux -D
