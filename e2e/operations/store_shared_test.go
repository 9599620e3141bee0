//go:build linux

package operations

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/status"
	"github.com/rota-go/rota/worker"
)

// shares is a server that counts its requests in memory that all workers share, and has work that one
// worker does at a time. It writes to the file that the flags name when the work begins and ends,
// which takes a while.
func shares() {
	ln, self := server.MustListen(), worker.Self()
	f, err := self.SharedFile("numbers", 8)
	must(err)
	n := &number{file: f}
	journal, err := os.OpenFile(os.Getenv(e2etest.FlagsEnv), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(err)
	go func() {
		_ = self.Lead(context.Background(), "work", func(ctx context.Context) error {
			fmt.Fprintln(journal, "begin", os.Getpid())
			<-ctx.Done()
			time.Sleep(700 * time.Millisecond)
			fmt.Fprintln(journal, "end", os.Getpid())
			return nil
		})
	}()
	mux := http.NewServeMux()
	mux.HandleFunc("/count", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, n.add(0)) })
	mux.HandleFunc("/status", func(w http.ResponseWriter, r *http.Request) {
		s, err := self.Status(r.Context())
		if err == nil {
			err = json.NewEncoder(w).Encode(s)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		n.add(1)
		server.Answer(w, r)
	})
	log.Fatal(http.Serve(ln, mux))
}

// number is one in a file that processes share.
type number struct {
	mu   sync.Mutex
	file *os.File
}

// add adds d and returns the sum. The kernel's lock excludes other processes, and ends with this one.
func (n *number) add(d uint64) uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	must(unix.FcntlFlock(n.file.Fd(), unix.F_SETLKW, &lock))
	b := make([]byte, 8)
	_, err := n.file.ReadAt(b, 0)
	must(err)
	sum := binary.NativeEndian.Uint64(b) + d
	_, err = n.file.WriteAt(binary.NativeEndian.AppendUint64(nil, sum), 0)
	must(err)
	lock.Type = unix.F_UNLCK
	must(unix.FcntlFlock(n.file.Fd(), unix.F_SETLK, &lock))
	return sum
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// What workers have counted in shared memory goes on after a crash of the master: an answer that
// was sent is in the sum.
func TestCrashKeepsCounters(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	flags := e2etest.FlagsEnv + "=" + filepath.Join(t.TempDir(), "journal")
	p := m.start(e2etest.Self(t), "shares", server.Quick(2), flags)
	p.WaitLog(e2etest.WorkerReady, 2)
	m.holdsShared(1)
	addr, answered := p.Addr(), 0
	for range 3 {
		l := e2etest.StartLoad(addr, "/", 4)
		l.Goes(t, 50)
		crash(p)
		p = m.start(e2etest.Self(t), "shares", server.Quick(2), flags)
		p.WaitLog(e2etest.WorkerReady, 2)
		l.Goes(t, 50)
		answered += l.MustBeWhole(t).Answered
		body, err := e2etest.Request("tcp", addr, "/count")
		e2etest.NoError(t, err)
		if n, err := strconv.Atoi(strings.TrimSpace(body)); err != nil || n != answered {
			t.Fatalf("the sum is %d, and %d requests were answered (%v)", n, answered, err)
		}
		m.holdsShared(1)
	}
	p.Signal(syscall.SIGTERM)
	p.Wait()
	e2etest.WaitFor(t, "an empty store", func() bool { return len(m.names()) == 0 }, m.String)
}

// holdsShared waits until the store has so many shared files, with a record of them.
func (m *manager) holdsShared(n int) {
	m.t.Helper()
	e2etest.WaitFor(m.t, "systemd to keep shared files", func() bool {
		names := m.names()
		return names["rota.shared"] == n && names["rota.lease"] >= 1 && names["rota.record"] == 1
	}, func() string { return fmt.Sprint(m.names()) })
}

// statusOf returns what the master of a worker at addr says.
func statusOf(t *testing.T, addr string) (s status.Status) {
	t.Helper()
	body, err := e2etest.Request("tcp", addr, "/status")
	e2etest.NoError(t, err)
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatalf("status %q: %v", body, err)
	}
	return s
}

// crashes returns how often workers have crashed.
func crashes(s status.Status) (n int64) {
	for _, c := range s.Tallies {
		if c.Kind == status.Crash {
			n += c.Times
		}
	}
	return n
}

// No sum that the master has told falls at its crash.
func TestCrashKeepsSums(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	flags := e2etest.FlagsEnv + "=" + filepath.Join(t.TempDir(), "journal")
	p := m.start(e2etest.Self(t), "shares", server.Quick(1), flags)
	p.WaitLog(e2etest.WorkerReady, 1)
	addr := p.Addr()
	e2etest.Kill(t, e2etest.WorkersOf(p.PID())[0])
	p.WaitLog(e2etest.WorkerReady, 2)
	e2etest.WaitFor(t, "a record of the crash", func() bool { return strings.Contains(m.record(), `"why":"crash"`) }, m.record)
	for range 20 {
		_, err := e2etest.Request("tcp", addr, "/")
		e2etest.NoError(t, err)
	}
	first := statusOf(t, addr)
	if first.Total.Accepted < 20 || crashes(first) != 1 {
		t.Fatalf("the master says %+v, %d crashes", first.Total, crashes(first))
	}
	text := fmt.Sprintf(`"accepted":%d,`, first.Total.Accepted)
	e2etest.WaitFor(t, "a record of that", func() bool { return strings.Contains(m.record(), text) }, m.record)
	crash(p)
	p = m.start(e2etest.Self(t), "shares", server.Quick(1), flags)
	p.WaitLog(e2etest.WorkerReady, 1)
	if now := statusOf(t, addr); now.Total.Accepted < first.Total.Accepted || crashes(now) < 1 {
		t.Errorf("the next master says %+v, %d crashes, and the one before %+v", now.Total, crashes(now), first.Total)
	}
}

// No worker of the next master leads before the leader that the dead one has left has ended.
func TestCrashKeepsTheLease(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	path := filepath.Join(t.TempDir(), "journal")
	flags := e2etest.FlagsEnv + "=" + path
	p := m.start(e2etest.Self(t), "shares", server.Quick(2), flags)
	p.WaitLog(e2etest.WorkerReady, 2)
	m.holdsShared(1)
	lines := func() []string {
		b, err := os.ReadFile(path)
		e2etest.NoError(t, err)
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
	n := 3
	for i := range n {
		e2etest.WaitFor(t, "a leader", func() bool { return len(lines()) == 2*i+1 }, func() string { return fmt.Sprint(lines()) })
		if i == 1 { // a leader that the next master doesn't know either
			crash(p)
			p = m.start(e2etest.Self(t), "shares", server.Quick(2), flags)
			p.WaitLog(e2etest.WorkerReady, 1)
		}
		crash(p)
		p = m.start(e2etest.Self(t), "shares", server.Quick(2), flags)
		p.WaitLog(e2etest.WorkerReady, 2)
	}
	e2etest.WaitFor(t, "the last leader", func() bool { return len(lines()) == 2*n+1 })
	for i, l := range lines() {
		what, pid, _ := strings.Cut(l, " ")
		if want := []string{"begin", "end"}[i%2]; what != want {
			t.Fatalf("line %d is %q, want %s: %q", i, l, want, lines())
		}
		if i%2 == 1 && !strings.HasSuffix(lines()[i-1], " "+pid) {
			t.Fatalf("two at once: %q", lines())
		}
	}
}
