package link

import "sync/atomic"

var master, worker atomic.Bool

// SetMaster says that this process has made a master of its own.
func SetMaster() { master.Store(true) }

// IsMaster reports whether it has.
func IsMaster() bool { return master.Load() }

// IsWorker reports whether this process was started by a master.
func IsWorker() bool { return worker.Load() }
