// Package operations proves what an operator may do to a running service, and what systemd, a
// container, limits and health checks make of it.
package operations
