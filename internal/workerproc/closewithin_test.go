package workerproc

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/wire"
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
				open := func() (all []endable) {
					for i := range conns {
						all = append(all, &conns[i])
					}
					if c := late.Load(); c != nil {
						all = append(all, c)
					}
					return all
				}
				begin := time.Now()
				go endWithin(within, drained, open)
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

// With CloseWithin the connections of that listener end in a drain, and no others.
func TestCloseWithin(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		pipe, other := newPipeListener(), newPipeListener()
		l, err := b.trackListener(&listener{Listener: pipe}, bind.Request{Options: bind.Options{CloseWithin: 3 * time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		conns, _ := accepts(l)
		otherConns, _ := accepts(b.Track(other))
		client, otherClient := pipe.dial(), other.dial()
		<-conns
		stays := <-otherConns
		begin := time.Now()
		b.receive(wire.Disconnect, nil)
		if _, err := client.Read(make([]byte, 1)); err != io.EOF || time.Since(begin) > 3*time.Second {
			t.Errorf("the client read %v after %v", err, time.Since(begin))
		}
		time.Sleep(10 * time.Second)
		_ = otherClient.SetReadDeadline(time.Now())
		if _, err := otherClient.Read(make([]byte, 1)); err == io.EOF {
			t.Error("a connection of another listener was closed")
		}
		stays.Close()
		if !b.hasLeft() {
			t.Error("the worker has not left")
		}
	})
}

// A program gets EOF, can still write, and the client reads that, for connections of
// Accept and of AcceptTCP.
func TestCloseWithinLetsTheProgramSpeak(t *testing.T) {
	for name, accept := range map[string]bareAccept{"Accept": net.Listener.Accept, "AcceptTCP": acceptTCP} {
		t.Run(name, func(t *testing.T) {
			inner, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			w := newTestWorker(time.Minute)
			ln, err := w.trackListener(&listener{Listener: inner}, bind.Request{Options: bind.Options{CloseWithin: time.Nanosecond}})
			if err != nil {
				t.Fatal(err)
			}
			client := dialTo(t, ln)
			if _, err := client.Write([]byte("before")); err != nil {
				t.Fatal(err)
			}
			c, err := accept(ln)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, make([]byte, len("before"))); err != nil {
				t.Fatal(err)
			}
			_ = w.Disconnect()
			if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
				t.Errorf("the program read %q, %v", b, err)
			}
			if _, err := c.Write([]byte("bye")); err != nil {
				t.Error(err)
			}
			c.Close()
			if b, err := io.ReadAll(client); string(b) != "bye" || err != nil {
				t.Errorf("the client read %q, %v", b, err)
			}
		})
	}
}
