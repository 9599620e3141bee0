//go:build linux

package http

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

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

var bothWays = []string{"http-line", "rotahttp"}

// drain reloads, and returns when the only worker has begun to drain.
func drain(t *testing.T, p *e2etest.Process) {
	t.Helper()
	p.Signal(syscall.SIGHUP)
	p.WaitOutput("drain begins", 1)
}

func eachWay(t *testing.T, f func(t *testing.T, p *e2etest.Process)) {
	for _, helper := range bothWays {
		t.Run(helper, func(t *testing.T) {
			t.Parallel()
			f(t, e2etest.Start(t, helper, server.Quick(1)))
		})
	}
}

func TestKeepAliveConnectionClosesWithItsNextAnswer(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *e2etest.Process) {
		c := dialHTTP(t, p.Addr())
		_, before := c.get("/")
		drain(t, p)
		resp, after := c.get("/")
		if !resp.Close || after != before {
			t.Errorf("close %v, answer %q: want close and %q", resp.Close, after, before)
		}
		if n := len(resp.Header.Values("Connection")); n > 1 {
			t.Errorf("%d Connection headers, want one", n)
		}
		c.mustEnd()
		p.WaitLog(e2etest.WorkerLeft, 1)
	})
}

// Every request of a pipeline is answered when the worker drains.
func TestPipelinedRequestsAreAnswered(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *e2etest.Process) {
		c := dialHTTP(t, p.Addr())
		gate := server.NewGate(t)
		c.send("%s", e2etest.Get(gate.Path)+strings.Repeat(e2etest.Get("/"), 20))
		p.WaitOutput("handling", 1)
		drain(t, p)
		gate.Open()
		for i := range 21 {
			if resp, _ := c.answer(http.StatusOK); resp.Close != (i == 20) {
				t.Errorf("answer %d: close %v", i, resp.Close)
			}
		}
		c.mustEnd()
	})
}

func TestExpectContinueDuringTheDrain(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *e2etest.Process) {
		c := dialHTTP(t, p.Addr())
		c.get("/")
		drain(t, p)
		c.send("POST /echo HTTP/1.1\r\nHost: e2e\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
		c.answer(http.StatusContinue)
		c.send("hello")
		if resp, body := c.answer(http.StatusOK); body != "hello" || !resp.Close {
			t.Errorf("close %v, body %q", resp.Close, body)
		}
		c.mustEnd()
	})
}

// A request and an answer in chunks are whole if the worker drains between two chunks.
func TestChunkedBodyAcrossTheDrain(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *e2etest.Process) {
		c := dialHTTP(t, p.Addr())
		big := strings.Repeat("x", 10000)
		c.send("POST /echo HTTP/1.1\r\nHost: e2e\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(big), big)
		drain(t, p)
		c.send("5\r\nhello\r\n0\r\n\r\n")
		if _, body := c.answer(http.StatusOK); body != big+"hello" {
			t.Errorf("%d bytes came back", len(body))
		}
	})
}

func TestServerSentEventsEndWithTheHandler(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *e2etest.Process) {
		c := dialHTTP(t, p.Addr())
		c.send("%s", e2etest.Get("/events"))
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(resp.Body)
		if line, err := r.ReadString('\n'); line != "data: tick\n" {
			t.Fatal(line, err)
		}
		drain(t, p)
		rest, err := io.ReadAll(r)
		if err != nil || !strings.HasSuffix(string(rest), "data: bye\n\n") {
			t.Errorf("the stream ended with %q, %v; want the last event", rest, err)
		}
	})
}

// The program learns that the worker drains while it has a hijacked connection. The
// connection goes on, and the worker waits for its end.
func TestHijackedConnectionIsWaitedFor(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *e2etest.Process) {
		c := dialHTTP(t, p.Addr())
		c.send("GET /socket HTTP/1.1\r\nHost: e2e\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		resp, _ := c.answer(http.StatusSwitchingProtocols)
		if resp.Header.Get("Connection") != "Upgrade" {
			t.Errorf("Connection: %s", resp.Header.Values("Connection"))
		}
		old := p.Children()[0]
		drain(t, p)
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
		if !e2etest.Alive(old) {
			t.Error("the worker ended before the hijacked connection")
		}
		_ = c.Close()
		e2etest.WaitFor(t, "the worker to leave", func() bool { return !e2etest.Alive(old) })
	})
}

// A stream of HTTP/2 that is open when the worker drains ends when its handler returns, and
// Serve returns after it.
func TestHTTP2StreamAcrossTheDrain(t *testing.T) {
	for _, helper := range []string{"rotahttp-h2c", "prepared-h2c"} {
		t.Run(helper, func(t *testing.T) {
			t.Parallel()
			streamAcrossTheDrain(t, e2etest.Start(t, helper, server.Quick(1)))
		})
	}
}

func streamAcrossTheDrain(t *testing.T, p *e2etest.Process) {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	in, out := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), e2etest.Stuck)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+p.Addr()+"/lines", in)
	if err != nil {
		t.Fatal(err)
	}
	go out.Write([]byte("before\n"))
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(resp.Body)
	drain(t, p)
	time.Sleep(1500 * time.Millisecond) // the last GOAWAY comes after a second
	fmt.Fprintln(out, "after")
	out.Close()
	if all, err := io.ReadAll(r); string(all) != "before\nafter\n" || err != nil {
		t.Errorf("read %q, %v", all, err)
	}
	p.WaitOutput("clean end", 1)
}

// SIGTERM to the master drains connections as a reload does.
func TestTermDrainsConnections(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *e2etest.Process) {
		gate := server.NewGate(t)
		busy, idle := p.InFlight(gate.Path), dialHTTP(t, p.Addr())
		idle.get("/")
		p.Signal(syscall.SIGTERM)
		p.WaitOutput("drain begins", 1)
		gate.Open()
		if err := <-busy; err != nil {
			t.Error(err)
		}
		if resp, _ := idle.get("/"); !resp.Close {
			t.Error("the answer doesn't say Connection: close")
		}
		if status := p.Wait(); status != 0 {
			t.Errorf("status %d", status)
		}
	})
}
