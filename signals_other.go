//go:build !unix

package rota

import "os"

// actions is empty: there is no master on this platform.
var actions map[os.Signal]func(*signalHandler)

func masterSignals() []os.Signal { return nil }

func workerSignals() []os.Signal { return nil }

func isTerm(os.Signal) bool { return false }
