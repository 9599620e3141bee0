package workerproc

import (
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/internal/sharedsocket"
)

// filePatience is how long a program that has called File may take until it calls Accept.
// After that it is taken for one that accepts from the descriptor itself.
const filePatience = 10 * time.Second

// taken says what the program has done with File.
type taken struct {
	file    atomic.Bool // File was called
	accepts atomic.Bool // the program accepts from the file
}

// File returns a duplicate of the socket, which the caller closes. Unlike that of package
// net, its Fd method leaves the socket non-blocking, because the flag is shared.
//
// A program that calls File, and not Accept, is taken for one that accepts from the file
// itself: when it closes the listener, or after ten seconds. Its connections are not part
// of the drain, and a line on standard error says so, unless the listener that the program
// has made of the file was given to rota.Track.
func (l *listener) File() (*os.File, error) {
	f, err := sharedsocket.File(l.Listener, l.Addr())
	if err == nil {
		l.fileTaken()
	}
	return f, err
}

// fileTaken records that the program has called File.
func (l *listener) fileTaken() {
	if l.taken.file.Swap(true) {
		return
	}
	time.AfterFunc(filePatience, func() {
		if !l.isClosed() {
			l.acceptsByFile()
		}
	})
}

// acceptsByFile reports whether the program accepts from the file, as far as that can be
// known: it has called File, and Accept never. The first time it tells the master, which
// would wait for the worker to be ready forever, and the operator.
func (l *listener) acceptsByFile() bool {
	if !l.taken.file.Load() {
		return false
	}
	l.first.Do(func() {
		l.taken.accepts.Store(true)
		l.worker.tellAccepting(l.id, l.own)
		if addr := l.Addr(); !l.worker.drain.hasOther(l, addr) {
			l.worker.report("WARN %s %s: the program accepts from the listener's File, so its connections are not drained "+
				"and are cut when the worker leaves; use Accept of rota's listener, or give the new one to rota.Track",
				addr.Network(), addr)
		}
	})
	return l.taken.accepts.Load()
}

// hasOther reports whether the drain has another listener on addr than l.
func (d *drain) hasOther(l *listener, addr net.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for s := range d.sources {
		other := baseOf(s)
		if other != nil && other != l && other.Addr().String() == addr.String() {
			return true
		}
	}
	return false
}
