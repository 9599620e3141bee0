//go:build linux

// Package reopen holds SIGUSR1 for the program of "rota run", from the initialisation of this package on. The master sends it as
// soon as a worker has said hello, which the worker does while package rota is initialised: the handler of a main
// would come too late, and Go's runtime drops a signal that nobody handles.
//
// The package imports little, so that it is initialised before package rota.
package reopen

import (
	"os"
	"os/signal"
	"syscall"
)

// held has room for one: the program is to open its logs once, however often it was told.
var held = begin()

func begin() chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	return c
}

// Signals has a value when the signal has come.
func Signals() <-chan os.Signal { return held }
