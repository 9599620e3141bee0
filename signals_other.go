//go:build !unix

package rota

import "os"

// actions is empty: this platform has no masters.
var actions map[os.Signal]func(*signalHandler)

func masterSignals() []os.Signal { return nil }

func workerSignals() []os.Signal { return nil }

func jobSignals() []os.Signal { return nil }

func signalSelf(os.Signal) error { return nil }

func hangups() []os.Signal { return nil }

func harmless() []os.Signal { return nil }

func endings() []os.Signal { return nil }
