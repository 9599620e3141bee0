package workerproc

import "github.com/rota-go/rota/internal/conn"

// endConns ends the connections that open returns within the listener's CloseWithin, if it has
// one. It returns at once.
func (l *listener) endConns(open func() []conn.Endable) {
	if l.closeWithin > 0 {
		go conn.EndWithin(l.closeWithin, l.worker.drained, open)
	}
}

// openConns returns the connections that Accept has returned and that are open.
func (l *listener) openConns() (open []conn.Endable) {
	for _, c := range l.worker.drain.openConns() {
		if c.Of(l.conns) {
			open = append(open, c)
		}
	}
	return open
}
