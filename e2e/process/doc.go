// Package process tests what a worker process is given, and what it is not: standard input,
// descriptors, the link, the terminal, a user, privileges, and signals while it starts.
package process
