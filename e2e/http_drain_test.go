//go:build linux

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the shapes of HTTP see of a drain, with real processes: the worker is told to
// leave while each is under way. Both ways of serving do the same, unless a name says
// which.

var bothWays = []string{"http-line", "rotahttp"}

// drain has the only worker leave, and returns when it knows.
func (p *process) drain() {
	p.t.Helper()
	p.signal(syscall.SIGHUP)
	p.waitLog("drain begins", 1)
}

func eachWay(t *testing.T, f func(t *testing.T, p *process)) {
	for _, helper := range bothWays {
		t.Run(helper, func(t *testing.T) {
			t.Parallel()
			f(t, start(t, helper, quick(1)))
		})
	}
}

func TestHTTPKeepAliveIsToldByItsNextAnswer(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *process) {
		c := dialHTTP(t, p.addr())
		_, before := c.get("/")
		p.drain()
		resp, after := c.get("/")
		if !resp.Close || after != before {
			t.Errorf("close %v, answered by %q, want by %q that it closes", resp.Close, after, before)
		}
		if n := len(resp.Header.Values("Connection")); n > 1 {
			t.Errorf("said %d times", n)
		}
		c.mustEnd()
		p.waitLog("worker left", 1)
	})
}

// Every request of a pipeline is answered.
func TestHTTPPipelining(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *process) {
		c := dialHTTP(t, p.addr())
		c.send("%s", getRequest("/?sleep=1s")+strings.Repeat(getRequest("/"), 20))
		p.waitLog("handling", 1)
		p.drain()
		for i := range 21 {
			if resp, _ := c.answer(http.StatusOK); resp.Close != (i == 20) {
				t.Errorf("answer %d: close %v", i, resp.Close)
			}
		}
		c.mustEnd()
	})
}

func TestHTTPExpectContinue(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *process) {
		c := dialHTTP(t, p.addr())
		c.get("/")
		p.drain()
		c.send("POST /echo HTTP/1.1\r\nHost: e2e\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
		c.answer(http.StatusContinue)
		c.send("hello")
		if resp, body := c.answer(http.StatusOK); body != "hello" || !resp.Close {
			t.Errorf("close %v, body %q", resp.Close, body)
		}
		c.mustEnd()
	})
}

// Chunks in both directions across the drain.
func TestHTTPChunked(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *process) {
		c := dialHTTP(t, p.addr())
		big := strings.Repeat("x", 10000)
		c.send("POST /echo HTTP/1.1\r\nHost: e2e\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(big), big)
		p.drain()
		c.send("5\r\nhello\r\n0\r\n\r\n")
		if _, body := c.answer(http.StatusOK); body != big+"hello" {
			t.Errorf("%d bytes came back", len(body))
		}
	})
}

func TestHTTPServerSentEvents(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *process) {
		c := dialHTTP(t, p.addr())
		c.send("%s", getRequest("/events"))
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(resp.Body)
		if line, err := r.ReadString('\n'); line != "data: tick\n" {
			t.Fatal(line, err)
		}
		p.drain()
		rest, err := io.ReadAll(r)
		if err != nil || !strings.HasSuffix(string(rest), "data: bye\n\n") {
			t.Errorf("ended with %q, %v", rest, err)
		}
	})
}

// A conn that the program has taken over learns of the drain, works on, and is waited
// for.
func TestHTTPHijacked(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *process) {
		c := dialHTTP(t, p.addr())
		c.send("GET /socket HTTP/1.1\r\nHost: e2e\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		resp, _ := c.answer(http.StatusSwitchingProtocols)
		if resp.Header.Get("Connection") != "Upgrade" {
			t.Errorf("Connection: %s", resp.Header.Values("Connection"))
		}
		old := p.living()[0]
		p.drain()
		if line := c.line(); line != "leaving\n" {
			t.Errorf("read %q", line)
		}
		for i := range 20 {
			c.send("line %d\n", i)
			if line, want := c.line(), fmt.Sprintf("line %d\n", i); line != want {
				t.Fatalf("read %q, want %q", line, want)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if !alive(old) {
			t.Error("the worker has not waited")
		}
		_ = c.Close()
		waitFor(t, "the worker to leave", func() bool { return !alive(old) })
	})
}

// A stream of HTTP/2 that is open when the worker leaves ends as the handler ends it,
// and Serve returns nil after it.
func TestHTTP2StreamAcrossTheDrain(t *testing.T) {
	t.Parallel()
	p := start(t, "rotahttp-h2c", quick(1))
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	in, out := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), stuck)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+p.addr()+"/lines", in)
	if err != nil {
		t.Fatal(err)
	}
	go out.Write([]byte("before\n"))
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(resp.Body)
	p.drain()
	time.Sleep(1500 * time.Millisecond) // the last GOAWAY comes after a second
	fmt.Fprintln(out, "after")
	out.Close()
	if all, err := io.ReadAll(r); string(all) != "before\nafter\n" || err != nil {
		t.Errorf("read %q, %v", all, err)
	}
	p.waitLog("clean end", 1)
}

// SIGTERM to the master is the same drain.
func TestHTTPTerm(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *process) {
		busy, idle := inFlight(t, p, "/?sleep=500ms"), dialHTTP(t, p.addr())
		idle.get("/")
		p.signal(syscall.SIGTERM)
		if err := <-busy; err != nil {
			t.Error(err)
		}
		if resp, _ := idle.get("/"); !resp.Close {
			t.Error("not told")
		}
		if status := p.wait(); status != 0 {
			t.Errorf("status %d", status)
		}
	})
}
