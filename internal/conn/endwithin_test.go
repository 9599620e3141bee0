package conn

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// endConn is a connection that counts what a drain does to it.
type endConn struct{ endings, closes atomic.Int32 }

func (c *endConn) EndReading()  { c.endings.Add(1) }
func (c *endConn) Close() error { c.closes.Add(1); return nil }

// Connections are ended evenly over the time, each once, and closed a second later; those
// that come late are ended too.
func TestEndWithin(t *testing.T) {
	for _, within := range []time.Duration{time.Nanosecond, 10 * time.Second} {
		t.Run(fmt.Sprint(within), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conns, last := make([]endConn, 100), new(endConn)
				var late atomic.Pointer[endConn]
				drained := make(chan struct{})
				defer close(drained)
				open := func() (all []Endable) {
					for i := range conns {
						all = append(all, &conns[i])
					}
					if c := late.Load(); c != nil {
						all = append(all, c)
					}
					return all
				}
				begin := time.Now()
				go EndWithin(within, drained, open)
				count := func() (ended, closed int) {
					synctest.Wait()
					for i := range conns {
						ended += int(conns[i].endings.Load())
						closed += int(min(conns[i].closes.Load(), 1))
					}
					return ended, closed
				}
				for tenth := range 11 {
					time.Sleep(time.Until(begin.Add(within / 10 * time.Duration(tenth))))
					ended, _ := count()
					if want := 10 * tenth; within > time.Second && (ended < want-1 || ended > want+2) {
						t.Errorf("%d ended after %v, want about %d", ended, time.Since(begin), want)
					}
				}
				late.Store(last)
				time.Sleep(2 * endTick)
				if ended, _ := count(); ended != len(conns) || last.endings.Load() != 1 {
					t.Errorf("%d of %d are ended in time, and the late one %d times", ended, len(conns), last.endings.Load())
				}
				time.Sleep(lastWords)
				if _, closed := count(); closed != len(conns) || last.closes.Load() == 0 {
					t.Errorf("%d of %d are closed", closed, len(conns))
				}
			})
		})
	}
}
