package link

import "sync/atomic"

// A process is a worker, or has made a master, or neither: it has one such state.
var master, worker atomic.Bool

// SetMaster records that this process has made a master.
func SetMaster() { master.Store(true) }

// IsMaster reports whether this process has made a master.
func IsMaster() bool { return master.Load() }

// IsWorker reports whether this process was started by a master.
func IsWorker() bool { return worker.Load() }
