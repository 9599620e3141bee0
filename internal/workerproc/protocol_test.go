//go:build linux

package workerproc

import (
	"bufio"
	"encoding/hex"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// withMaster returns a worker on a real link, and the master's end of it.
func withMaster(t *testing.T) (*Worker, *net.UnixConn) {
	t.Helper()
	l, end, err := link.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	c, err := net.FileConn(end)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorker(link.Identity{ID: 7}, l)
	ended := make(chan struct{})
	w.exit = func(int) { close(ended) }
	w.hello()
	go w.readLink()
	t.Cleanup(func() {
		c.Close()
		<-ended
	})
	return w, c.(*net.UnixConn)
}

// The worker understands a master of protocol version 1 while MinVersion is 1.
func TestGoldenMaster(t *testing.T) {
	w, master := withMaster(t)
	got := make(chan string, 10)
	w.OnMessage(func(m ipc.Message) { got <- m.String() })
	if _, err := master.Write(golden(t, "testdata/master-v1.txt")); err != nil {
		t.Fatal(err)
	}
	if s := receive(t, got); s != `{"cmd":"echo","n":1}` {
		t.Errorf("message %s", s)
	}
	receive(t, w.Done())
	if g := w.times.Load(); g.Version != 1 || g.Grace != 30*time.Second || g.IdleGrace != 5*time.Second {
		t.Errorf("welcome %+v", g)
	}
	said, err := io.ReadAll(master)
	if err != nil {
		t.Fatal(err)
	}
	if got := types(t, said); got != "hello draining taken" {
		t.Errorf("the worker sent %q, want hello, draining and taken", got)
	}
}

// After a refusal every error has its reason.
func TestRefusedByMaster(t *testing.T) {
	w, master := withMaster(t)
	const reason = "it speaks versions 1 to 1 of the protocol, this master 2 to 3"
	b, _ := wire.Append(nil, wire.Frame{Type: wire.Refuse, Body: wire.Body(wire.RefuseBody{Reason: reason})})
	if _, err := master.Write(b); err != nil {
		t.Fatal(err)
	}
	receive(t, w.closed)
	if err := w.Send("hello"); err == nil || !strings.Contains(err.Error(), reason) {
		t.Errorf("Send: %v, want %q in it", err, reason)
	}
}

func types(t *testing.T, b []byte) string {
	t.Helper()
	var names []string
	for len(b) >= wire.HeaderSize {
		size := int(b[8])<<24 | int(b[9])<<16 | int(b[10])<<8 | int(b[11])
		names = append(names, wire.Type(b[2]).String())
		b = b[wire.HeaderSize+size:]
	}
	return strings.Join(names, " ")
}

// golden returns the frames of a file, which has one a line in hexadecimal.
func golden(t *testing.T, name string) (all []byte) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		frame, err := hex.DecodeString(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, frame...)
	}
	return all
}

func receive[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(10 * time.Second):
		t.Fatal("stuck: nothing comes")
	}
	return v
}
