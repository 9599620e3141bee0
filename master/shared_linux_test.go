//go:build linux

package master

import (
	"encoding/json"
	"errors"
	"log/slog"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/status"
)

// A file of a name is the same for the master and its workers.
func TestSharedFile(t *testing.T) {
	inBubble(t, Config{Workers: 1}, func(t *testing.T, b *bench) {
		b.run()
		elapse(time.Second)
		f, err := b.SharedFile("a", 4096)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		again, err := b.SharedFile("a", 1)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if _, err := f.WriteAt([]byte("17"), 4000); err != nil {
			t.Error(err)
		}
		text := make([]byte, 2)
		if _, err := again.ReadAt(text, 4000); err != nil || string(text) != "17" {
			t.Errorf("%q, %v", text, err)
		}
		if _, err := b.SharedFile("", 1); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("without a name: %v", err)
		}
	})
}

// A worker that asks gets the status, with what has happened since the start by kind, slot and
// reason. One that asks again before the answer violates the protocol.
func TestWorkerAsksForStatus(t *testing.T) {
	inBubble(t, Config{Workers: 2}, func(t *testing.T, b *bench) {
		answers := make(chan wire.Frame, 1)
		b.os.script = func(p *fakeProc) {
			if p.id.ID == 3 {
				p.die(Exit{Code: 3}) // the first of the reload
				return
			}
			p.hello()
			p.accept("tcp", ":80")
			for {
				select {
				case <-p.died:
					return
				case f := <-p.got:
					switch f.Type {
					case wire.Disconnect:
						p.say(wire.Draining, nil)
						p.die(Exit{})
					case wire.Status:
						answers <- f
					}
				}
			}
		}
		b.run()
		elapse(time.Second)
		_ = b.Reload(t.Context())
		elapse(time.Minute)
		if err := b.Restart(t.Context(), 1); err != nil {
			t.Error(err)
		}
		elapse(time.Minute)
		p := b.os.procs[len(b.os.procs)-1]
		ask := link.Packet{Frame: wire.Frame{Type: wire.AskStatus, Call: 5}}
		p.frames <- ask
		var s status.Status
		f := <-answers
		if err := json.Unmarshal(f.Body, &s); err != nil || f.Call != 5 || len(s.Workers) != 2 {
			t.Fatalf("%v: %s", err, f.Body)
		}
		want := []status.Tally{
			{Kind: status.Crash, Why: "crash", Times: 1}, {Kind: status.Reload, Why: "failed", Times: 1}, {Kind: status.Restart, Why: "restart", Times: 1},
		}
		if len(s.Tallies) != len(want) || s.Tallies[0] != want[0] || s.Tallies[1] != want[1] || s.Tallies[2] != want[2] {
			t.Errorf("%+v, want %+v", s.Tallies, want)
		}
		p.frames <- ask
		p.frames <- ask
		synctest.Wait()
		select {
		case <-p.closed:
		case <-time.After(time.Minute):
			t.Error("a worker that asks again before the answer keeps its link")
		}
	})
}

// A new master makes no file before it has those of the old one: its workers would have another one than theirs.
func TestSharedFileOfANewMaster(t *testing.T) {
	o := &fakeOS{}
	s := o.sys()
	s.masters.Following = func() bool { return true }
	early := newMaster(Config{Logger: slog.New(slog.DiscardHandler)}, s)
	defer early.Close()
	if _, err := early.SharedFile("a", 4096); !errors.Is(err, ErrNotRunning) {
		t.Errorf("before Run: %v", err)
	}
	m, old := newMasterOn(t, func() error { return nil })
	wait := func(want error) {
		t.Helper()
		waitUntil(t, "the file", func() bool {
			f, err := m.SharedFile("a", 4096)
			if err == nil {
				_ = f.Close()
			}
			return errors.Is(err, want)
		})
	}
	wait(ErrNotRunning)
	old.Send(&successor.Message{Kind: successor.State, State: &successor.Snapshot{Generation: 1}})
	wait(nil)
}
