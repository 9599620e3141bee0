//go:build !unix

package rota

import "os"

// table is empty: there is no master on this platform.
var table map[os.Signal]func(*conductor)

func masterSignals() []os.Signal { return nil }

func workerSignals() []os.Signal { return nil }

func isTerm(os.Signal) bool { return false }
