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
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
)

// quick is a configuration for short tests.
func quick(workers int) master.Config {
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
func newClient(t *testing.T) *http3.Transport {
	c := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(0)}}
	t.Cleanup(func() { c.Close() })
	return c
}

// get makes a request, and returns the body of the answer.
func get(c *http3.Transport, url string) (string, error) {
	return do(c, httptest(http.MethodGet, url, nil))
}

func httptest(method, url string, body io.Reader) *http.Request {
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

// A download goes on in its old worker through reloads, whole and in order.
func TestDownloadSurvivesReloads(t *testing.T) {
	p, addr := start(t, "http3", quick(4))
	const count = 1_000_000 // 8 MB in 1,000 pieces
	long := e2etest.Duration(20*time.Second, 4*time.Second)
	url := fmt.Sprintf("https://%s/numbers?count=%d&every=%d", addr, count, long.Milliseconds()*1000/count)
	began := time.Now()
	resp, err := newClient(t).RoundTrip(httptest(http.MethodGet, url, nil))
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
	p.LeavesNothing()
}

// No request fails in reloads: neither on connections that are kept nor on new ones, whatever the body.
func TestRequestsInReloads(t *testing.T) {
	p, addr := start(t, "http3", quick(4))
	l := e2etest.NewLoad()
	var made, again atomic.Int64
	counted := func(r *http.Request) *http.Request {
		made.Add(1)
		conns := -1
		return r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
			if conns++; conns > 0 {
				again.Add(1)
			}
		}}))
	}
	url := "https://" + addr + "/whoami"
	for range 4 {
		kept := newClient(t)
		l.Add(2, func() (string, error) { return do(kept, counted(httptest(http.MethodGet, url, nil))) })
		l.Add(1, func() (string, error) {
			return do(kept, counted(httptest(http.MethodPost, url, strings.NewReader(strings.Repeat("x", 5000)))))
		})
	}
	l.Add(2, func() (string, error) {
		c := newClient(t)
		defer c.Close()
		return do(c, counted(httptest(http.MethodGet, url, nil)))
	})
	least := int64(e2etest.Times(100_000, 2000))
	for reloads := 0; reloads < 20 || made.Load() < least; reloads++ {
		p.Reload()
	}
	r := l.MustBeWhole(t)
	t.Logf("%v; of %d requests %d were sent again on another connection", r, made.Load(), again.Load())
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}

var _ = quic.Version1
