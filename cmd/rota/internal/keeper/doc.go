// Package keeper is what "rota keep" does: the parent of a master, which keeps what the master would take with it
// if it were killed, and starts the next one. To the master it is what systemd is: it keeps
// descriptors (sd_notify(3), FDSTORE=1), and passes them on by LISTEN_FDS.
// docs/decisions/0058 says why it is as it is.
package keeper
