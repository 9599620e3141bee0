package workerproc

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/handover"
	"github.com/rota-go/rota/internal/wire"
)

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

// The drain doesn't move the connections of a listener with CloseWithin: it shuts them down. The
// program may hand them over.
func TestCloseWithinConnectionsStay(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	l := &listener{Listener: inner, id: 1}
	if handover.Supported && l.cookie() == 0 {
		t.Error("the connections of a shared socket can't go on in another process")
	}
	if (bind.Request{}).Stays() {
		t.Error("the connections of a shared socket stay")
	}
	if !(bind.Request{Options: bind.Options{CloseWithin: time.Second}}).Stays() {
		t.Error("the connections of a listener with CloseWithin may move")
	}
}
