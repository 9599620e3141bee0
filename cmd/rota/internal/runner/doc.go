// Package runner is what "rota run" does: a rota for a program that knows nothing of it.
//
// Each worker is a process of this command that starts the program as its only child, gives
// it the sockets as systemd does, tells the master when it is ready, and ends it when the
// worker is asked to leave. Everything else is the rota of any Go program: reloads, limits,
// signals to the master, the control socket.
package runner
