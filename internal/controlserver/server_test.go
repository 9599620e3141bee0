//go:build linux

package controlserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/directory"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// fakeMaster is a master whose changes the test carries out.
type fakeMaster struct {
	mu       sync.Mutex
	s        status.Status
	watchers []chan status.Status
	calls    []string
	result   chan error // of a change
	recents  atomic.Int64
}

func (m *fakeMaster) Count(context.Context) status.Status {
	m.recents.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.s
	s.PID = 1
	return s
}

func (m *fakeMaster) set(s status.Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.s = s
	for _, c := range m.watchers {
		select {
		case <-c:
		default:
		}
		c <- s
	}
}

func (m *fakeMaster) Watch(ctx context.Context) <-chan status.Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(chan status.Status, 1)
	c <- m.s
	m.watchers = append(m.watchers, c)
	return c
}

func (m *fakeMaster) call(ctx context.Context, name string) error {
	m.mu.Lock()
	m.calls = append(m.calls, name+" by "+status.Caller(ctx))
	m.mu.Unlock()
	select {
	case err := <-m.result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *fakeMaster) called() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.calls, "; ")
}

func (m *fakeMaster) Reload(ctx context.Context) error   { return m.call(ctx, "reload") }
func (m *fakeMaster) Rollback(ctx context.Context) error { return m.call(ctx, "rollback") }
func (m *fakeMaster) Promote(ctx context.Context) error  { return m.call(ctx, "promote") }
func (m *fakeMaster) Abort(ctx context.Context) error    { return m.call(ctx, "abort") }
func (m *fakeMaster) Pause(ctx context.Context) error    { return m.call(ctx, "pause") }
func (m *fakeMaster) Resume(ctx context.Context) error   { return m.call(ctx, "resume") }
func (m *fakeMaster) Upgrade(ctx context.Context) error  { return m.call(ctx, "upgrade") }
func (m *fakeMaster) Stop() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, "stop")
	return nil
}
func (m *fakeMaster) ReloadCanary(ctx context.Context, n int, d time.Duration) error {
	return m.call(ctx, fmt.Sprintf("reload with %d canaries for %v", n, d))
}
func (m *fakeMaster) ScaleContext(ctx context.Context, n int) error {
	return m.call(ctx, "scale")
}
func (m *fakeMaster) SetDrained(ctx context.Context, drained bool) error {
	return m.call(ctx, fmt.Sprint("drained ", drained))
}
func (m *fakeMaster) Restart(ctx context.Context, id int) error {
	if id != 7 {
		return errors.New("no such worker")
	}
	return m.call(ctx, "restart")
}

func start(t *testing.T) (m *fakeMaster, path string, s *Server) {
	m = &fakeMaster{result: make(chan error, 1)}
	path = filepath.Join(t.TempDir(), "rota.sock")
	s = &Server{Master: m, Failed: func(err error) { t.Error(err) }}
	s.Open(path, false)
	t.Cleanup(s.Close)
	return m, path, s
}

func dial(t *testing.T, path, request string) (*net.UnixConn, *bufio.Scanner) {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(c)
	in.Buffer(nil, control.MaxReply)
	return c.(*net.UnixConn), in
}

// next returns the next line of an answer.
func next(t *testing.T, in *bufio.Scanner) control.Reply {
	t.Helper()
	for in.Scan() {
		r, err := control.ParseReply(in.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if r != (control.Reply{}) {
			return r
		}
	}
	t.Fatalf("the answer ends: %v", in.Err())
	return control.Reply{}
}

func wantResult(t *testing.T, in *bufio.Scanner, code control.Code, text string) {
	t.Helper()
	r := next(t, in)
	if r.Result == nil || r.Result.Code != code || !strings.Contains(r.Result.Error, text) {
		t.Errorf("%+v, want %s %q", r.Result, code, text)
	}
}

// A reload reports its steps, and its error with the worker's last lines apart from it.
func TestReload(t *testing.T) {
	m, path, _ := start(t)
	old := status.Worker{ID: 1, PID: 11, Generation: 1, State: status.Listening, Ready: time.Unix(1, 0)}
	s := status.Status{Phase: "serving", Generation: 1, Want: 1, Workers: []status.Worker{old}}
	m.set(s)
	_, in := dial(t, path, `{"do":"reload"}`+"\n")
	s.Phase, s.Next = "rolling out", 2
	s.Workers = append(s.Workers, status.Worker{ID: 2, PID: 12, Generation: 2})
	waitFor(t, func() bool { return m.called() != "" })
	m.set(s)
	if p := next(t, in).Progress; p == nil || p.Phase != "rolling out" {
		t.Errorf("%+v", p)
	}
	if p := next(t, in).Progress; p == nil || p.Event != control.Starting || p.Worker != 2 || p.PID != 12 {
		t.Errorf("%+v", p)
	}
	m.result <- &reload.Error{Worker: 2, Generation: 2, PID: 12, Err: reload.ErrDied, Stderr: "no database\n"}
	r := next(t, in).Result
	if r == nil || r.Code != control.Failed || strings.Contains(r.Error, "database") || r.Stderr != "no database\n" {
		t.Errorf("%+v", r)
	}
	if got := m.called(); !strings.HasPrefix(got, "reload by uid ") || !strings.Contains(got, " pid ") {
		t.Errorf("called: %s", got)
	}
}

// A client learns that the new master of an upgrade does the reload.
func TestReloadIsLeft(t *testing.T) {
	m, path, _ := start(t)
	m.result <- fmt.Errorf("reload: %w", reload.ErrLeft)
	_, in := dial(t, path, `{"do":"reload"}`+"\n")
	if r := next(t, in).Result; r == nil || r.Code != control.Left || r.Error != "reload: left to the new master" {
		t.Errorf("%+v", r)
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("stuck")
		}
	}
}

// What doesn't wait for its end is answered at once.
func TestNoWait(t *testing.T) {
	m, path, _ := start(t)
	_, in := dial(t, path, `{"do":"upgrade","nowait":true}`+"\n")
	wantResult(t, in, control.Done, "")
	if !strings.HasPrefix(m.called(), "upgrade by uid") {
		t.Error(m.called())
	}
}

// An upgrade has its result, however soon the master ends after it, and whether or not the new one takes the path over.
func TestUpgrade(t *testing.T) {
	for name, takesOver := range map[string]bool{"the same path": true, "another path": false} {
		t.Run(name, func(t *testing.T) {
			m, path, s := start(t)
			_, in := dial(t, path, `{"do":"upgrade"}`+"\n")
			waitFor(t, func() bool { return m.called() != "" })
			s.Disown()
			m.result <- nil
			ended := make(chan struct{})
			go func() { s.Close(); close(ended) }()
			if takesOver { // after the old one has begun to end
				waitFor(t, func() bool { _, err := os.Lstat(path); return err != nil })
				other := &Server{Master: &fakeMaster{}, Failed: func(err error) { t.Error(err) }}
				other.Open(path, true)
				t.Cleanup(other.Close)
			}
			r := next(t, in)
			for r.Progress != nil {
				r = next(t, in)
			}
			if r.Result == nil || r.Result.Code != control.Done {
				t.Errorf("%+v", r.Result)
			}
			if _, err := os.Lstat(path); (err == nil) != takesOver {
				t.Errorf("the socket's file: %v", err)
			}
			<-ended
		})
	}
}

// Each request is the call of the master that it says.
func TestCalls(t *testing.T) {
	for request, want := range map[string]string{
		`{"do":"reload","canary":2,"for":300000000000,"nowait":true}`: "reload with 2 canaries for 5m0s by uid",
		`{"do":"pause"}`:                "pause by uid",
		`{"do":"resume"}`:               "resume by uid",
		`{"do":"promote"}`:              "promote by uid",
		`{"do":"abort"}`:                "abort by uid",
		`{"do":"reload","nowait":true}`: "reload by uid",
	} {
		m, path, _ := start(t)
		_, in := dial(t, path, request+"\n")
		m.result <- nil
		wantResult(t, in, control.Done, "")
		if !strings.HasPrefix(m.called(), want) {
			t.Errorf("%s: %s", request, m.called())
		}
	}
}

func TestRestart(t *testing.T) {
	m, path, _ := start(t)
	w := status.Worker{ID: 7, PID: 17, Slot: 0, Generation: 1, State: status.Listening, Ready: time.Unix(1, 0)}
	s := status.Status{Phase: "serving", Generation: 1, Want: 1, Workers: []status.Worker{w}}
	m.set(s)
	m.result <- nil
	_, in := dial(t, path, `{"do":"restart","slot":0}`+"\n")
	waitFor(t, func() bool { return m.called() != "" })
	w.ID = 8
	m.set(status.Status{Phase: "serving", Generation: 1, Want: 1, Workers: []status.Worker{w}})
	wantResult(t, in, control.Done, "")
	_, in = dial(t, path, `{"do":"restart","worker":9}`+"\n")
	wantResult(t, in, control.Failed, "no such worker")
	_, in = dial(t, path, `{"do":"restart","slot":5}`+"\n")
	wantResult(t, in, control.Failed, "restart slot 5: no worker serves in it")
}

// A slot that crashes again and again delays nobody who replaces the worker of another.
func TestRestartBesideACrashLoop(t *testing.T) {
	for _, request := range []string{`{"do":"restart","slot":1}`, `{"do":"restart","worker":7}`} {
		m, path, _ := start(t)
		w := status.Worker{ID: 7, PID: 17, Slot: 1, Generation: 1, State: status.Listening, Ready: time.Unix(1, 0)}
		m.set(status.Status{Phase: "serving", Generation: 1, Want: 2, Workers: []status.Worker{w}})
		m.result <- nil
		_, in := dial(t, path, request+"\n")
		waitFor(t, func() bool { return m.called() != "" })
		old := w
		w.ID, old.Draining = 8, time.Unix(2, 0)
		m.set(status.Status{Phase: "serving", Generation: 1, Want: 2, Workers: []status.Worker{old, w}})
		wantResult(t, in, control.Done, "")
	}
}

// Hostile clients are answered, cut off, or told that there are too many; the others are served.
func TestHostileClients(t *testing.T) {
	m, path, _ := start(t)
	m.set(status.Status{Phase: strings.Repeat("long", 1<<18)})
	_, in := dial(t, path, "GET / HTTP/1.1\r\n\r\n")
	wantResult(t, in, control.Invalid, "invalid request")
	_, in = dial(t, path, strings.Repeat("x", 2*control.MaxRequest))
	wantResult(t, in, control.Invalid, "longer")
	reader, in := dial(t, path, `{"do":"watch"}`+"\n")
	next(t, in)
	_ = reader.CloseWrite() // as nc does
	for range 3 {
		dial(t, path, `{"do":"watch"}`+"\n") // and never reads
	}
	begin := time.Now()
	var busy atomic.Int64
	var all sync.WaitGroup
	const silent = 200 // each that is refused takes busyPause
	for range silent {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		all.Go(func() { // it says nothing
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if line, _ := bufio.NewReader(c).ReadString('\n'); strings.Contains(line, `"busy"`) {
				busy.Add(1)
			}
		})
	}
	waitFor(t, func() bool { // those that are silent are cut off
		c, err := net.Dial("unix", path)
		if err != nil {
			return false
		}
		defer c.Close()
		_, _ = c.Write([]byte(`{"do":"status"}` + "\n")) // fails if it was refused
		line, _ := bufio.NewReader(c).ReadString('\n')
		return strings.Contains(line, "long")
	})
	all.Wait()
	if busy.Load() < silent/2 {
		t.Errorf("%d of %d clients are told that the master is busy", busy.Load(), silent)
	}
	if took := time.Since(begin); took > readTimeout+writeTimeout+time.Second {
		t.Errorf("a client is served after %v", took)
	}
	m.set(status.Status{Phase: "stopping"})
	if r := next(t, in); r.Status == nil || r.Status.Phase != "stopping" {
		t.Error("a client that watches has been cut off")
	}
}

// Only root and the master's user may control it, and the file says so too.
func TestPermission(t *testing.T) {
	_, path, _ := start(t)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	me := uint32(os.Geteuid())
	if !mayControl(0) || !mayControl(me) || mayControl(me+1) {
		t.Error("another user may control the master, or root may not")
	}
}

// Close removes the file, and no other master's.
func TestFile(t *testing.T) {
	_, path, s := start(t)
	var failed error
	other := &Server{Master: &fakeMaster{}, Failed: func(err error) { failed = err }}
	if other.Open(path, false); !errors.Is(failed, ErrInUse) {
		t.Fatalf("a second master at the path: %v", failed)
	}
	other.Open(path, true) // a successor
	s.Close()
	_, in := dial(t, path, `{"do":"status"}`+"\n")
	if next(t, in).Status == nil {
		t.Error("the successor doesn't serve")
	}
	other.Disown()
	d := directory.Open(filepath.Dir(path)) // as a master does that is about to take the path over
	if d.IsBusy() {
		t.Fatal("the directory stays locked")
	}
	other.Close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("a file that another master may be about to replace is gone: %v", err)
	}
	d.Close()
	other.Open(path, false) // the file is stale now
	other.Close()
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	for _, bad := range []string{"rota.sock", filepath.Join(path, "none"), filepath.Dir(path)} {
		failed = nil
		if other.Open(bad, false); failed == nil {
			t.Errorf("a socket at %s", bad)
		}
	}
	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	failed = nil
	if other.Open(path, true); failed == nil {
		t.Error("a file of another type was replaced")
	}
}

// Of masters that are started at the same time one has the socket, and is there.
func TestOneOfManyMasters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rota.sock")
	for range 20 {
		var all sync.WaitGroup
		var has atomic.Pointer[file]
		for range 4 {
			all.Go(func() {
				f, err := listen(path, false)
				if err == nil && !has.CompareAndSwap(nil, f) {
					t.Error("two have it")
				}
				if err != nil && !errors.Is(err, ErrInUse) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		c, err := net.Dial("unix", path)
		if err != nil || has.Load() == nil || has.Load().isReplaced() {
			t.Fatalf("nobody is there: %v", err)
		}
		_ = c.Close()
		has.Load().close()
	}
}
