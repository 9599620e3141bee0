// Package socket proves that sockets from rota are what package net would open: networks,
// options, errors, files of unix sockets, packets, and sockets of a supervisor.
package socket
