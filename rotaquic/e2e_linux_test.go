//go:build linux

package rotaquic

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
)

// configOf is a configuration for short tests.
func configOf(workers int) master.Config {
	return master.Config{
		Workers: workers, Grace: time.Minute, MinUptime: 50 * time.Millisecond,
		KillAfter: time.Second, MinBackoff: 10 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
	}
}

// start starts a helper, and returns the address that it serves.
func start(t *testing.T, helper string, config master.Config) (*e2etest.Process, string) {
	t.Helper()
	addr := e2etest.FreeAddress(t)
	p := e2etest.Start(t, helper, config, e2etest.FlagsEnv+"="+addr)
	p.WaitLog(e2etest.WorkerReady, config.Workers)
	return p, addr
}

// newClient returns quic-go's own client.
func newClient(t testing.TB) *http3.Transport {
	c := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(0)}}
	t.Cleanup(func() { c.Close() })
	return c
}

// get makes a request, and returns the body of the answer.
func get(c *http3.Transport, url string) (string, error) {
	return do(c, newRequest(http.MethodGet, url, nil))
}

func newRequest(method, url string, body io.Reader) *http.Request {
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		panic(err)
	}
	return r
}

func do(c *http3.Transport, r *http.Request) (string, error) {
	ctx, cancel := context.WithTimeout(r.Context(), e2etest.Stuck)
	defer cancel()
	resp, err := c.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return string(b), err
}

// A download goes on in its old worker through reloads, whole and in order, with either spread.
func TestDownloadSurvivesReloads(t *testing.T) {
	for name, spread := range map[string]master.Spread{"one queue": master.SpreadShared, "slots": master.SpreadSlots} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := configOf(4)
			cfg.Spread = spread
			downloadInReloads(t, cfg)
		})
	}
}

func downloadInReloads(t *testing.T, cfg master.Config) {
	p, addr := start(t, "http3", cfg)
	const count = 1_000_000 // 8 MB in 1,000 pieces
	long := e2etest.Duration(20*time.Second, 4*time.Second)
	url := fmt.Sprintf("https://%s/numbers?count=%d&every=%d", addr, count, long.Milliseconds()*1000/count)
	began := time.Now()
	resp, err := newClient(t).RoundTrip(newRequest(http.MethodGet, url, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	reloaded := make(chan struct{})
	go func() {
		defer close(reloaded)
		for range 3 {
			time.Sleep(long / 10)
			p.Reload()
		}
	}()
	b := make([]byte, 8)
	for i := range count {
		if _, err := io.ReadFull(resp.Body, b); err != nil || binary.BigEndian.Uint64(b) != uint64(i) {
			t.Fatalf("number %d is %x, %v, after %v", i, b, err, time.Since(began))
		}
	}
	if n, err := resp.Body.Read(b); n != 0 || err != io.EOF {
		t.Errorf("%d bytes too many, %v", n, err)
	}
	select {
	case <-reloaded:
		t.Logf("8 MB in %v, through 3 reloads", time.Since(began).Round(time.Millisecond))
	default:
		t.Error("the download was over before the reloads")
	}
	p.Signal(syscall.SIGTERM)
	p.Wait()
	p.LeavesNothing()
}

// No request fails in reloads: neither on connections that are kept nor on new ones, with a body or without.
func TestRequestsInReloads(t *testing.T) {
	for name, spread := range map[string]master.Spread{"one queue": master.SpreadShared, "slots": master.SpreadSlots} {
		t.Run(name, func(t *testing.T) {
			cfg := configOf(e2etest.Times(4, 2))
			cfg.Spread = spread
			requestsInReloads(t, cfg)
		})
	}
}

func requestsInReloads(t *testing.T, cfg master.Config) {
	p, addr := start(t, "http3", cfg)
	l, counts := e2etest.NewLoad(), &counter{url: "https://" + addr + "/whoami"}
	for range 4 {
		kept := newClient(t)
		l.Add(2, func() (string, error) { return counts.request(kept, http.MethodGet, nil) })
		l.Add(1, func() (string, error) { return counts.request(kept, http.MethodPost, strings.NewReader(body)) })
	}
	l.Add(2, func() (string, error) {
		c := newClient(t)
		defer c.Close()
		return counts.request(c, http.MethodGet, nil)
	})
	least, reloads := int64(e2etest.Times(100_000, 2000)), 0
	for ; reloads < 20 || counts.made.Load() < least; reloads++ {
		p.Reload()
		p.WaitLog(e2etest.WorkerLeft, (reloads+1)*cfg.Workers)
		counts.await() // what one generation has rejected, the next one may not reject again
	}
	r := l.MustBeWhole(t)
	t.Logf("%d reloads, %v; %d requests were sent again on another connection; in %d the client has closed its own connection",
		reloads, r, counts.again.Load(), counts.closed.Load())
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}

var body = strings.Repeat("x", 5000)

// counter counts requests of quic-go's client.
type counter struct {
	url                 string
	made, again, closed atomic.Int64

	mu       sync.Mutex
	underWay *sync.WaitGroup // the requests that have begun since await was called
}

// begin says that a request is under way, until ends is called.
func (n *counter) begin() (ends func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.underWay == nil {
		n.underWay = &sync.WaitGroup{}
	}
	n.underWay.Add(1)
	return n.underWay.Done
}

// await waits for the requests that are under way. Others begin meanwhile.
func (n *counter) await() {
	n.mu.Lock()
	before := n.underWay
	n.underWay = nil
	n.mu.Unlock()
	if before != nil {
		before.Wait()
	}
}

// request makes a request. quic-go's client sends it again, once, if the server says that it has rejected it.
func (n *counter) request(c *http3.Transport, method string, body io.Reader) (string, error) {
	defer n.begin()()
	n.made.Add(1)
	conns := -1
	r := newRequest(method, n.url, body)
	answer, err := do(c, r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { conns++ },
	})))
	n.again.Add(int64(max(conns, 0)))
	// A request that the client begins at the moment when it reads a GOAWAY frame may meet the client's own close:
	// (*http3.ClientConn).openRequestStream looks for the frame first and registers the stream then.
	var h3 *http3.Error
	if errors.As(err, &h3) && !h3.Remote && h3.ErrorCode == http3.ErrCodeNoError {
		n.closed.Add(1)
		return "", e2etest.ErrNoRequest
	}
	return answer, err
}

// A download survives an upgrade of the master, too.
func TestDownloadSurvivesUpgrade(t *testing.T) {
	p, addr := start(t, "http3", configOf(2))
	resp, err := newClient(t).RoundTrip(newRequest(http.MethodGet, "https://"+addr+"/numbers?count=100000&every=30", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	ended := make(chan error, 1)
	go func() {
		n, err := io.Copy(io.Discard, resp.Body)
		if n != 800_000 {
			err = fmt.Errorf("%d bytes, %w", n, err)
		}
		ended <- err
	}()
	p.Upgrade()
	if err := e2etest.Await(t, "the end of the download", ended); err != nil {
		t.Error(err)
	}
}

// In a stop nobody takes the socket over: requests that have arrived are answered.
func TestStopAnswers(t *testing.T) {
	p, addr := start(t, "http3", configOf(2))
	var bodies []io.ReadCloser
	for range 4 {
		resp, err := newClient(t).RoundTrip(newRequest(http.MethodGet, "https://"+addr+"/numbers?count=40000&every=30", nil))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, resp.Body)
	}
	p.Signal(syscall.SIGTERM)
	p.WaitLog(e2etest.StopStarts, 1)
	for _, b := range bodies {
		if n, err := io.Copy(io.Discard, b); n != 320_000 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	if status := p.Wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// A client resumes its session at another worker, after a reload.
func TestSessionsResume(t *testing.T) {
	p, addr := start(t, "http3", configOf(1))
	c := newClient(t)
	for i, want := range []string{"generation=1 worker=1 slot=0 resumed=false", "generation=2 worker=2 slot=0 resumed=true"} {
		if i > 0 {
			p.Reload()
			p.WaitLog(e2etest.WorkerLeft, 1)
		}
		got, err := get(c, "https://"+addr+"/whoami")
		if err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%q, %v, want %s", got, err, want)
		}
	}
}

// dial opens a QUIC connection without HTTP.
func dial(t *testing.T, addr string) *quic.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), e2etest.Stuck)
	defer cancel()
	c, err := quic.DialAddr(ctx, addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"echo"}}, &quic.Config{
		KeepAlivePeriod: 100 * time.Millisecond, DisablePathMTUDiscovery: true, // small packets only
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseWithError(0, "") })
	return c
}

// echoes sends text on a stream of its own, and expects it back.
func echoes(c *quic.Conn, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), e2etest.Stuck)
	defer cancel()
	s, err := c.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	_ = s.SetDeadline(time.Now().Add(e2etest.Stuck))
	if _, err := io.WriteString(s, text); err != nil {
		return err
	}
	_ = s.Close()
	b, err := io.ReadAll(s)
	if err == nil && string(b) != text {
		err = fmt.Errorf("got %q", b)
	}
	return err
}

// A connection of a client whose address changes goes on in the worker that has it, which drains meanwhile.
func TestClientChangesItsAddress(t *testing.T) {
	p, addr := start(t, "echo", configOf(3))
	nat := newNAT(t, addr)
	c := dial(t, nat.addr())
	for i := range 4 {
		for range 20 {
			if err := echoes(c, strings.Repeat("whole", 1000)); err != nil {
				t.Fatalf("after %d changes: %v", i, err)
			}
		}
		nat.change(t)
		if i%2 == 1 {
			p.Reload()
			p.WaitLog(e2etest.WorkerLeft, 2)
		}
		for range 10 { // longer than a drain without connections takes
			if err := echoes(c, "whole"); err != nil {
				t.Fatalf("after %d changes: %v", i+1, err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	if p.Logged(e2etest.WorkerLeft) > 5 {
		t.Error("the worker that has the connection has left")
	}
	c.CloseWithError(0, "")
	p.WaitLog(e2etest.WorkerLeft, 6)
}

// At the end of the grace a connection is closed, and its client told so.
func TestGraceEnds(t *testing.T) {
	cfg := configOf(1)
	cfg.Grace = 1500 * time.Millisecond
	p, addr := start(t, "echo", cfg)
	c := dial(t, addr)
	if err := echoes(c, "hello"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p.Reload()
	e2etest.Await(t, "the end of the connection", c.Context().Done())
	var closed *quic.ApplicationError
	if err := context.Cause(c.Context()); !errors.As(err, &closed) || !closed.Remote || time.Since(began) < cfg.Grace/2 {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// The clients of a worker that is killed learn it from the other workers, by a stateless reset, also if they send nothing but
// what keeps the connection open.
func TestKilledWorker(t *testing.T) {
	for name, spread := range map[string]master.Spread{"one queue": master.SpreadShared, "slots": master.SpreadSlots} {
		t.Run(name, func(t *testing.T) {
			cfg := configOf(2)
			cfg.Spread = spread
			killWorkers(t, cfg)
		})
	}
}

func killWorkers(t *testing.T, cfg master.Config) {
	p, addr := start(t, "echo", cfg)
	c := dial(t, addr)
	if err := echoes(c, "hello"); err != nil {
		t.Fatal(err)
	}
	packets := c.ConnectionStats().PacketsReceived
	e2etest.WaitFor(t, "answers to keep-alive packets, and so nothing else to be under way", func() bool {
		return c.ConnectionStats().PacketsReceived >= packets+5
	})
	for _, pid := range e2etest.WorkersOf(p.PID()) {
		e2etest.Kill(t, pid)
	}
	e2etest.Await(t, "the end of the connection", c.Context().Done())
	var reset *quic.StatelessResetError
	if err := context.Cause(c.Context()); !errors.As(err, &reset) {
		t.Error(err)
	}
}
