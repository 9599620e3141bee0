//go:build linux

package rotaquic

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
)

// leaver returns the worker of member 0, which has no connection, beside others of sockets of their own.
func leaver(others ...state) *shared {
	tab := with(append([]state{leaving}, others...)...)
	for i := range others {
		tab.sockets[i+1].Store(uint64(i + 1))
	}
	return &shared{memory: &memory{table: tab}, self: tab.at(0), conn: &packetConn{}}
}

// passes begins passOn, and returns a channel that is closed when it has returned.
func passes(ctx context.Context, s *shared) <-chan struct{} {
	ended := make(chan struct{})
	go func() { s.passOn(ctx); close(ended) }()
	return ended
}

// isOver reports whether c is closed when that time is over.
func isOver(c <-chan struct{}, after time.Duration) bool {
	time.Sleep(after)
	synctest.Wait()
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// In a stop a worker stays until no other one has a connection, and all are done then.
func TestPassOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := leaver(leaving, leaving)
		ended := passes(t.Context(), s)
		for i := range uint8(2) {
			if isOver(ended, time.Minute) {
				t.Errorf("it has left before %d others were done", 2-i)
			}
			s.memory.set(member{place{i + 1, 1}, 1, passing})
		}
		if !isOver(ended, time.Second) || s.memory.at(0).state != passing {
			t.Errorf("all are done, and it is %v", s.memory.at(0))
		}
	})
}

// A worker whose slot is gone stays for as long as something comes, and a little longer. At the end of the grace it
// leaves.
func TestPassOnBesideServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := leaver(serving, leaving)
		ended := passes(t.Context(), s)
		for range 5 {
			if isOver(ended, quietTime*3/4) {
				t.Error("it has left, and packets come")
			}
			s.conn.passed.Add(1)
		}
		if !isOver(ended, quietTime+2*lookEveryPassing) {
			t.Error("nothing comes, and it stays")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended := passes(ctx, leaver(leaving))
		if isOver(ended, time.Minute-time.Second) || !isOver(ended, 2*time.Second) {
			t.Error("the end of the grace doesn't end it, or nothing has lasted so long")
		}
	})
}

// A worker that drains reads on from the socket of its slot, unless another one of the slot serves.
func TestChooseReads(t *testing.T) {
	site := newSite(t)
	s := &shared{memory: &memory{table: site.table}, conn: site.worker(0, draining), self: member{place{0, 1}, 1, draining}}
	site.table.set(member{place{1, 1}, 2, serving})
	for _, socket := range []uint64{1, 0, 1} {
		site.table.sockets[1].Store(socket) // that of member 0 is 0
		s.chooseReads()
		if want := socket != 0; s.conn.reads != want {
			t.Errorf("one serves that has socket %d, and it reads: %t", socket, s.conn.reads)
		}
	}
}

// When there are fewer slots, the worker of one that is gone keeps its connections, and leaves after them.
func TestFewerWorkers(t *testing.T) {
	cfg := configOf(2)
	cfg.Spread = master.SpreadSlots
	p, addr := start(t, "http3", cfg)
	for who, url := "", "https://"+addr; !strings.Contains(who, "slot=1"); {
		c := newClient(t)
		var err error
		who, err = get(c, url+"/whoami")
		e2etest.NoError(t, err)
		if strings.Contains(who, "slot=1") {
			body := slowDownload(t, c, url)
			p.Signal(syscall.SIGTTOU)
			if n, err := io.Copy(io.Discard, body); n != 480_000 || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
		}
	}
	p.WaitLog(e2etest.WorkerLeft, 1)
	if _, err := get(newClient(t), "https://"+addr+"/whoami"); err != nil {
		t.Error(err)
	}
}

// In a stop a worker that is done passes on what comes to its slot's socket for the connections of others: here of
// clients whose address changes, which the kernel gives to any slot.
func TestStopReadsForOthers(t *testing.T) {
	cfg := configOf(2)
	cfg.Spread = master.SpreadSlots
	p, addr := start(t, "http3", cfg)
	over := filepath.Join(t.TempDir(), "over")
	bodies := downloadsAtOneSlot(t, addr, over)
	p.Signal(syscall.SIGTERM)
	p.WaitLog(e2etest.StopStarts, 1)
	for i, b := range bodies {
		if n, err := io.Copy(io.Discard, b); n != 480_000 || err != nil {
			t.Errorf("download %d: %d bytes, %v", i, n, err)
		}
	}
	e2etest.NoError(t, os.WriteFile(over, nil, 0o600))
	if status := p.Wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// downloadsAtOneSlot begins eight downloads from slot 0, of clients whose address has changed meanwhile. Slot 1 has no connection, and its worker lingers until a file is there.
func downloadsAtOneSlot(t *testing.T, addr, until string) (bodies []io.Reader) {
	t.Helper()
	for lingers := false; len(bodies) < 8 || !lingers; {
		n, c := newNAT(t, addr), newClient(t)
		url := "https://" + n.addr()
		who, err := get(c, url+"/whoami")
		e2etest.NoError(t, err)
		if strings.Contains(who, "slot=1") {
			_, err = get(c, url+"/linger?until="+until)
			e2etest.NoError(t, err)
			lingers = true
			c.Close()
			continue
		}
		bodies = append(bodies, slowDownload(t, c, url))
		n.change(t)
		_, err = get(c, url+"/whoami") // or the server learns of the new address when the client sends again
		e2etest.NoError(t, err)
	}
	return bodies
}

// slowDownload begins a download of 480,000 bytes that takes three seconds.
func slowDownload(t *testing.T, c *http3.Transport, url string) io.Reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), e2etest.Stuck)
	t.Cleanup(cancel)
	r := newRequest(http.MethodGet, fmt.Sprintf("%s/numbers?count=60000&every=50", url), nil)
	resp, err := c.RoundTrip(r.WithContext(ctx))
	e2etest.NoError(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp.Body
}
