//go:build linux

package keeper

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// ending is how a master has ended.
type ending struct {
	status   int  // its exit status, or 128 plus the number of a signal
	killed   bool // by a signal, or nobody knows how
	stopping bool // it has said that it stops
	asked    bool // the keeper was asked to stop
	served   bool // a master of this keeper has been ready
}

// endingOf reads what wait4 says.
func endingOf(ws unix.WaitStatus) ending {
	if ws.Signaled() {
		return ending{status: 128 + int(ws.Signal()), killed: true}
	}
	return ending{status: ws.ExitStatus()}
}

// isFinal reports whether no other master is to follow. One that fails at its start says that it
// stops, too: only if it is killed does that count.
func (e ending) isFinal() bool {
	return e.asked || !e.served || e.status == 0 && !e.killed || e.killed && e.stopping
}

// The pauses between crashes in a row. A master that was ready for wellAfter has ended the row.
const (
	firstPause = 100 * time.Millisecond
	pauseGrows = 1.5 // times, with each crash
	maxPause   = 10 * time.Second
	wellAfter  = 10 * time.Second
)

// pause returns how long to wait after so many crashes in a row. The first is none that repeats.
func pause(crashes int) time.Duration {
	if crashes < 2 {
		return 0
	}
	return time.Duration(min(float64(firstPause)*math.Pow(pauseGrows, float64(crashes-2)), float64(maxPause)))
}
