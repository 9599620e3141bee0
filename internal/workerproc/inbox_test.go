//go:build linux

package workerproc

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/inbox"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// Messages that come before the first OnMessage are kept for it, in order.
func TestEarlyMessages(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for i := range 3 {
			b.receive(wire.Message, i)
		}
		var got []string
		b.OnMessage(func(m ipc.Message) { got = append(got, m.String()) })
		b.receive(wire.Message, 3)
		if want := []string{"0", "1", "2", "3"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// Each function gets the messages that come after its OnMessage.
func TestSeveralOnMessage(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		var first, second []string
		b.OnMessage(func(m ipc.Message) { first = append(first, m.String()) })
		b.receive(wire.Message, "one")
		b.OnMessage(func(m ipc.Message) { second = append(second, m.String()) })
		b.receive(wire.Message, "two")
		if len(first) != 2 || len(second) != 1 {
			t.Errorf("first got %v, second %v", first, second)
		}
	})
}

// A slow function delays messages, but not Disconnect. Messages that came before
// Disconnect are handled before the worker leaves.
func TestSlowOnMessage(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		done, began := 0, time.Now()
		b.OnMessage(func(ipc.Message) { time.Sleep(time.Second); done++ })
		for range 3 {
			b.receive(wire.Message, "work")
		}
		b.receive(wire.Disconnect, nil)
		time.Sleep(100 * time.Millisecond) // for the goroutine that takes over reading
		select {
		case <-b.Disconnecting():
		default:
			t.Error("Disconnect waits for messages")
		}
		if b.hasLeft() {
			t.Error("the worker has left with unhandled messages")
		}
		<-b.Done()
		if done != 3 {
			t.Errorf("%d of 3 messages were handled", done)
		}
		if d := time.Since(began); d != 3*time.Second {
			t.Errorf("the worker left after %v, want 3s, when the last message was handled", d)
		}
	})
}

// A function that never returns delays the worker until the grace ends.
func TestStuckOnMessage(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.OnMessage(func(ipc.Message) { <-b.Done() })
		b.receive(wire.Message, "work")
		began := time.Now()
		_ = b.Disconnect()
		<-b.Done()
		if d := time.Since(began); d != defaultGrace {
			t.Errorf("it took %v to leave, want the grace of %v", d, defaultGrace)
		}
	})
}

func TestPanicInOnMessage(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.inbox.Failed = func(any, []byte) {} // no noise
		n := 0
		b.OnMessage(func(ipc.Message) { n++; panic("on purpose") })
		b.receive(wire.Message, "one")
		b.receive(wire.Message, "two")
		if n != 2 {
			t.Errorf("called %d times, want 2", n)
		}
	})
}

// After a function that calls runtime.Goexit, delivery continues.
func TestGoexitInOnMessage(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		n := 0
		b.OnMessage(func(ipc.Message) { n++; runtime.Goexit() })
		for range 3 {
			b.link.frames <- link.Packet{Frame: wire.Frame{Type: wire.Message, Body: []byte("1")}}
		}
		synctest.Wait()
		if n != 3 {
			t.Errorf("called %d times, want 3", n)
		}
		if _ = b.Disconnect(); !b.hasLeft() {
			t.Error("the worker can't leave")
		}
	})
}

// While too many messages wait for OnMessage, the link isn't read. It is read in a drain,
// so that the worker notices when the master dies.
func TestMessagesWithoutOnMessage(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		big := link.Packet{Frame: wire.Frame{Type: wire.Message, Body: make([]byte, 1<<20)}}
		for range 10 * inbox.MaxWaiting >> 20 {
			select {
			case b.link.frames <- big:
			default:
			}
			synctest.Wait()
		}
		if len(b.link.frames) == 0 {
			t.Error("all messages were read without an OnMessage function")
		}
		_ = b.Disconnect()
		synctest.Wait()
		if len(b.link.frames) > 0 {
			t.Error("a draining worker doesn't read its link")
		}
	})
}

// Broadcasts that nobody takes don't keep the master's orders from a worker, nor fill its memory.
// What it misses counts as not taken.
func TestBroadcastsWithoutOnMessage(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		big := link.Packet{Frame: wire.Frame{Type: wire.Broadcast, Body: make([]byte, 1<<20)}}
		const all = 3 * inbox.MaxWaiting >> 20
		for i := range all {
			if i == all-1 {
				b.receive(wire.Disconnect, nil)
			}
			b.link.frames <- big
			synctest.Wait()
		}
		select {
		case <-b.Disconnecting():
		default:
			t.Error("Disconnect waits for broadcasts")
		}
		taken := 0
		b.OnMessage(func(ipc.Message) { taken++ })
		synctest.Wait()
		n, _ := b.inbox.Undelivered()
		if most := inbox.MaxWaiting>>20 + 1; taken == 0 || taken > most || taken+n != all {
			t.Errorf("%d of %d were taken, want at most %d; %d were missed", taken, all, most, n)
		}
	})
}

// A drain waits for main to come to OnMessage, so that messages that were sent right after
// Fork are handled (docs/contract.md#messages-drain).
func TestDrainWaitsForOnMessage(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for i := range 3 {
			b.receive(wire.Message, i)
		}
		b.receive(wire.Disconnect, nil)
		time.Sleep(defaultGrace / 2)
		if b.hasLeft() {
			t.Fatal("the worker left with messages that main has not come to yet")
		}
		n := 0
		b.OnMessage(func(ipc.Message) { n++ })
		if !b.hasLeft() || n != 3 {
			t.Errorf("%d of 3 messages were handled; left: %v", n, b.hasLeft())
		}
	})
}

// A main that has come to Accept or Ready without OnMessage gets a second to call it on
// another goroutine. A worker that has served for long leaves at once.
func TestDrainWithoutOnMessage(t *testing.T) {
	arrivals := map[string]func(*bench){
		"Accept": func(b *bench) { accepts(b.Track(newPipeListener())) },
		"Ready":  func(b *bench) { _ = b.Ready() },
	}
	for name, arrive := range arrivals {
		for age, want := range map[time.Duration]time.Duration{0: arrivalPatience, time.Hour: 0} {
			inBubble(t, func(t *testing.T, b *bench) {
				b.receive(wire.Message, "nobody wants it")
				arrive(b)
				time.Sleep(age)
				began := time.Now()
				_ = b.Disconnect()
				<-b.Done()
				if d := time.Since(began); d != want {
					t.Errorf("%v after %s: it took %v to leave, want %v", age, name, d, want)
				}
			})
		}
	}
}

// A main that never comes to anything has the grace.
func TestDrainOfAMainThatNeverArrives(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.receive(wire.Message, "too late")
		began := time.Now()
		_ = b.Disconnect()
		<-b.Done()
		if d := time.Since(began); d != defaultGrace {
			t.Errorf("it took %v to leave, want the grace of %v", d, defaultGrace)
		}
		if n, asked := b.inbox.Undelivered(); n != 1 || asked {
			t.Errorf("%d messages reported, want 1", n)
		}
	})
}

// Handles that no function has used are closed when the last function has returned.
func TestUnusedHandles(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		fds := []*descriptor.FD{null(t), null(t)}
		b.link.frames <- link.Packet{Frame: wire.Frame{Type: wire.Message, Body: []byte("1"), FDs: 2}, Files: fds}
		synctest.Wait()
		if fds[0].Int() < 0 {
			t.Error("a handle was closed before its message was delivered")
		}
		b.OnMessage(func(m ipc.Message) {
			f, err := m.Handles[0].File()
			if err != nil {
				t.Error(err)
			}
			f.Close()
		})
		synctest.Wait()
		for i, fd := range fds {
			if fd.Int() >= 0 {
				t.Errorf("handle %d is still open", i)
			}
		}
	})
}

func null(t *testing.T) *descriptor.FD {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := descriptor.DupOf(f)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestSendFails(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if err := b.Send(math.NaN()); err == nil {
			t.Error("NaN was sent, which JSON has no form for")
		}
		if err := b.Send("x", nil); !errors.Is(err, ipc.ErrHandle) {
			t.Errorf("empty handle: %v", err)
		}
		if n := b.link.count(wire.Message); n != 0 {
			t.Errorf("%d messages were sent", n)
		}
		_ = b.Disconnect()
		if !b.hasLeft() {
			t.Fatal("has not left")
		}
		for range 2 {
			err := b.Send("too late")
			if !errors.Is(err, ipc.ErrDisconnected) {
				t.Errorf("%v, want ErrDisconnected", err)
			}
		}
	})
}

// A connection that was sent is closed in this process, and the drain doesn't wait for it.
// If Send fails, the connection stays as it was.
func TestSendConn(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w, master := withMaster(t)
	tracked := w.Track(ln)
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := tracked.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Send(math.NaN(), ipc.FromConn(c)); err == nil {
		t.Fatal("NaN was sent")
	}
	if _, err := c.Write([]byte("still open\n")); err != nil {
		t.Errorf("after a failed Send: %v", err)
	}
	h := ipc.FromConn(c)
	if err := w.Send("first", h); err != nil {
		t.Fatal(err)
	}
	if err := w.Send("second", h); !errors.Is(err, ipc.ErrHandle) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("sent twice: %v, want ErrHandle and net.ErrClosed", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Send: %v, want net.ErrClosed", err)
	}
	_ = w.Disconnect()
	receive(t, w.Done()) // would wait for the conn for 30 s
	_ = master.SetDeadline(time.Now().Add(10 * time.Second))
	if said := types(t, readToEnd(t, master)); said != "hello message draining counted" && said != "hello accepting message draining counted" {
		t.Errorf("the worker sent %q", said)
	}
}

// readToEnd reads the master's end until it fails. The kernel closes descriptors that come.
func readToEnd(t *testing.T, master *net.UnixConn) (b []byte) {
	t.Helper()
	buf := make([]byte, 4096)
	for {
		n, err := master.Read(buf)
		b = append(b, buf[:n]...)
		if err != nil {
			return b
		}
	}
}

// The error of Send names the type of a conn that can't be sent.
func TestSendPipe(t *testing.T) {
	w, _ := withMaster(t)
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	err := w.Send("x", ipc.FromConn(a))
	if !errors.Is(err, ipc.ErrHandle) || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(fmt.Sprint(err), "net.pipe") {
		t.Errorf("%v", err)
	}
}
