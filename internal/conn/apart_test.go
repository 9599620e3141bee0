package conn

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// reading is a Read on a goroutine of its own, as a forwarder or a server that reads while
// it answers has it.
type reading struct{ result chan error }

// startReading returns when the Read has begun.
func startReading(t *testing.T, c net.Conn) reading {
	t.Helper()
	r := reading{make(chan error, 1)}
	go func() {
		_, err := c.Read(make([]byte, 1024))
		r.result <- err
	}()
	eventually(t, "a Read begins", func() bool {
		s := tracked(c).http.State()
		return s.Phase == "asking" || s.Phase == "followed" && !s.Busy
	})
	return r
}

// wait returns the Read's error, or errBlocked if it goes on.
func (r reading) wait(limit time.Duration) error {
	select {
	case err := <-r.result:
		return err
	case <-time.After(limit):
		return errBlocked
	}
}

var errBlocked = errors.New("the Read goes on")

// readRequest has the server read one request of the client.
func readRequest(t *testing.T, server, client net.Conn, request string) {
	t.Helper()
	io.WriteString(client, request)
	if n, err := server.Read(make([]byte, 1024)); n != len(request) || err != nil {
		t.Fatal(n, err)
	}
}

// A body that looks like an answer is unchanged, though the program reads on before it has
// written all of it, and the drain begins then.
func TestConnAnswerInParts(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, client := ln.pair(t)
	readRequest(t, server, client, getRequest)
	const head, body = "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n", "HTTP/1.1 200 OK\r\n"
	io.WriteString(server, head)
	reader := startReading(t, server)
	ln.drain()
	io.WriteString(server, body)
	want := head + body
	if got := readFull(client, len(want)); got != want {
		t.Errorf("got %q", got)
	}
	io.WriteString(client, getRequest)
	if err := reader.wait(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	io.WriteString(server, plainAnswer)
	if got := readFull(client, len(lastAnswer)); got != lastAnswer {
		t.Errorf("the next answer is %q", got)
	}
}

// A Read that began before the answer, and before the drain, ends with the connection, at
// the first ticks after the answer.
func TestConnForwarderEnds(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, client := ln.pair(t)
	readRequest(t, server, client, getRequest)
	reader := startReading(t, server)
	ln.shared.Draining.Store(true)
	ln.tick(1 << 30)
	if err := reader.wait(10 * time.Millisecond); err != errBlocked {
		t.Fatalf("ended before the answer: %v", err)
	}
	io.WriteString(server, plainAnswer)
	if got := readFull(client, len(lastAnswer)); got != lastAnswer {
		t.Errorf("got %q", got)
	}
	for range 3 {
		ln.tick(1 << 30)
	}
	if err := reader.wait(10 * time.Second); err != io.EOF {
		t.Errorf("the Read returns %v", err)
	}
}

// What a pipelining client sends after the answer that says close is answered if it comes
// before the next tick but one. Then the connection ends.
func TestConnPipelineInPieces(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, client := ln.pair(t)
	ln.shared.Draining.Store(true)
	readRequest(t, server, client, getRequest+getRequest)
	io.WriteString(server, plainAnswer+plainAnswer)
	for _, next := range []string{getRequest, getRequest + getRequest} {
		reader := startReading(t, server)
		ln.tick(1 << 30)
		if err := reader.wait(10 * time.Millisecond); err != errBlocked {
			t.Fatalf("ended at once: %v", err)
		}
		io.WriteString(client, next)
		if err := reader.wait(10 * time.Second); err != nil {
			t.Fatal(err)
		}
		io.WriteString(server, strings.Repeat(plainAnswer, len(next)/len(getRequest)))
	}
	want := plainAnswer + lastAnswer + lastAnswer + plainAnswer + lastAnswer
	if got := readFull(client, len(want)); got != want {
		t.Errorf("got %q", got)
	}
	reader := startReading(t, server)
	ln.tick(1 << 30)
	ln.tick(1 << 30)
	if err := reader.wait(10 * time.Second); err != io.EOF {
		t.Errorf("the Read returns %v", err)
	}
}

// A request that crosses the end that the drain makes is answered before the program meets
// that end. Deadlines hold meanwhile.
func TestConnRequestCrossesTheEnd(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, client := ln.pair(t)
	ln.shared.Draining.Store(true)
	readRequest(t, server, client, getRequest)
	io.WriteString(server, plainAnswer)
	tracked(server).http.OnReadStart()
	ln.tick(1 << 30)
	ln.tick(1 << 30)
	tracked(server).http.OnRead([]byte(getRequest), true)
	reader := startReading(t, server)
	if err := reader.wait(10 * time.Millisecond); err != errBlocked {
		t.Fatalf("the end comes before the answer: %v", err)
	}
	server.SetReadDeadline(time.Unix(1, 0))
	if err := reader.wait(10 * time.Second); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	server.SetReadDeadline(time.Time{})
	reader = startReading(t, server)
	io.WriteString(server, plainAnswer)
	if err := reader.wait(10 * time.Second); err != io.EOF {
		t.Errorf("after the answer: %v", err)
	}
	if got := readFull(client, 2*len(lastAnswer)); got != lastAnswer+lastAnswer {
		t.Errorf("got %q", got)
	}
}

func readFull(c net.Conn, n int) string {
	p := make([]byte, n)
	n, _ = io.ReadFull(c, p)
	return string(p[:n])
}

// A drain doesn't end a connection while a Write that began before it waits for the client:
// one of a whole answer, or of the rest of one.
func TestConnWriteWaits(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("whether a Write waits is not known here")
	}
	for _, network := range []string{"tcp", "unix"} {
		const head = "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n"
		writeWaits(t, network, "", head, false)
		writeWaits(t, network, head, "", true)
	}
}

// writeWaits has a program write before, and then a long answer that begins with head, which
// is recorded before it is written, or after that.
func writeWaits(t *testing.T, network, before, head string, recorded bool) {
	t.Helper()
	ln := listenConns(t, network)
	server, client := ln.pair(t)
	readRequest(t, server, client, getRequest)
	if before != "" {
		_, _ = io.WriteString(server, before)
	}
	done := make(chan error, 1)
	go func() {
		_, err := io.WriteString(server, head+strings.Repeat("x", 8<<20))
		done <- err
	}()
	eventually(t, "the Write waits", func() bool { return tracked(server).socket.WriteMayWait() })
	eventually(t, "the answer is recorded, or not", func() bool { return tracked(server).http.State().Rest == recorded })
	reader := startReading(t, server)
	ln.shared.Draining.Store(true)
	for range 5 {
		ln.tick(1)
	}
	if err := reader.wait(10 * time.Millisecond); err != errBlocked {
		t.Errorf("%s: ended: %v", network, err)
	}
	swallow(client)
	if err := <-done; err != nil {
		t.Errorf("%s: the answer: %v", network, err)
	}
}
