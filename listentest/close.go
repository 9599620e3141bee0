package listentest

import (
	"errors"
	"io"
	"net"
	"os"
)

var closeCases = []testCase{
	{"CloseWakesAccept", "net.Listener: any blocked Accept operations will be unblocked and return errors. The error is net.ErrClosed.", "", closeWakesAccept},
	{"AcceptAfterClose", "net.ErrClosed: Accept returns it after Close.", "", acceptAfterClose},
	{"CloseTwice", "net.ErrClosed: the error returned by an I/O call on a network connection that has already been closed.", "", closeTwice},
	{"CloseConcurrent", "net.Listener: multiple goroutines may invoke methods on a Listener simultaneously. One Close succeeds, the others return net.ErrClosed.", "", closeConcurrent},
	{"CloseKeepsConns", "net.TCPListener: Close stops listening; already accepted connections are not closed.", "", closeKeepsConns},
	{"CloseReopen", "Package net: after Close the same address can be listened on again.", "", closeReopen},
	{"CloseFile", "net.TCPListener: closing the listener does not affect the file, and closing the file does not affect the listener.", "", closeFile},
}

func closeWakesAccept(t *trial) {
	ln := t.listen()
	var accepts []*call[net.Conn]
	for range several {
		accepts = append(accepts, start(t, "Accept during Close", ln.Accept))
	}
	accepts[0].mustBlock()
	t.must("Close", ln.Close)
	for _, a := range accepts {
		t.wantAcceptClosed(ln, a.waitErr())
	}
}

func (t *trial) wantAcceptClosed(ln net.Listener, err error) {
	t.Helper()
	t.wantClosed(err, "accept")
	if e, ok := err.(*net.OpError); ok && !sameAddr(e.Addr, ln.Addr()) {
		t.Errorf("accept: Addr of the error is %v, want %v", e.Addr, ln.Addr())
	}
}

func acceptAfterClose(t *trial) {
	ln := t.listen()
	t.must("Close", ln.Close)
	for range 2 {
		err := start(t, "Accept after Close", ln.Accept).waitErr()
		t.wantAcceptClosed(ln, err)
	}
}

func closeTwice(t *trial) { t.closeRepeatedly(t.listen()) }

func closeConcurrent(t *trial) { t.closeByMany(t.listen()) }

// closeByMany closes c from several goroutines at once.
func (t *trial) closeByMany(c io.Closer) {
	t.Helper()
	var closes []*call[struct{}]
	for range several {
		closes = append(closes, startErr(t, "Close", c.Close))
	}
	first := 0
	for _, c := range closes {
		if err := c.waitErr(); err == nil {
			first++
		} else {
			t.wantClosed(err, "close")
		}
	}
	if first != 1 {
		t.Errorf("%d of %d calls of Close closed it, want 1", first, several)
	}
}

// closeRepeatedly closes c several times, one after the other.
func (t *trial) closeRepeatedly(c io.Closer) {
	t.Helper()
	t.must("Close", c.Close)
	for range 2 {
		t.wantClosed(soonErr(t, "the second Close", c.Close), "close")
	}
}

func closeKeepsConns(t *trial) {
	ln := t.listen()
	server, client := t.connect(ln)
	t.must("Close", ln.Close)
	t.exchange(server, client)
}

func closeReopen(t *trial) {
	ln, address := t.listenFree()
	server, client := t.connect(ln)
	for range 3 {
		t.must("Close", ln.Close)
		ln = t.listenOn(address)
		t.exchange(t.connect(ln))
	}
	t.exchange(server, client)
}

func closeFile(t *trial) {
	ln := t.listen()
	filer, ok := ln.(interface{ File() (*os.File, error) })
	if !ok {
		t.Skipf("the listener has no File")
	}
	t.exchange(t.connect(ln))
	f, err := soon(t, "File", filer.File)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("File: %v", err)
	} else if err != nil {
		t.Fatalf("File: %v", err)
	}
	f.Close()
	t.exchange(t.connect(ln))
	accept := start(t, "Accept after File", ln.Accept)
	accept.mustBlock()
	t.must("Close", ln.Close)
	t.wantAcceptClosed(ln, accept.waitErr())
}

var keptCases = []testCase{
	{"CloseRefuses", "net.TCPListener: Close stops listening on the TCP address.", "", closeRefuses},
	{"CloseKeepsQueue", "Options.Shared: the socket stays open after Close; connections wait in its queue for the next listener.", "", closeKeepsQueue},
}

// The connection stays open, so that the system gives its port to no other process.
func closeRefuses(t *trial) {
	if t.suite.Shared {
		t.Skipf("Options.Shared: the socket stays open after Close")
	}
	ln := t.listen()
	t.connect(ln)
	t.must("Close", ln.Close)
	if _, err := t.tryDial(ln.Addr().String()); err == nil {
		t.Errorf("a client can connect after Close")
	}
}

// The client connects while this process has no listener, and waits for the next one.
// The case accepts the connection, so that the queue is empty afterwards.
func closeKeepsQueue(t *trial) {
	if !t.suite.Shared {
		t.Skipf("Options.Shared is false: the socket closes with its listener")
	}
	ln, address := t.listenFree()
	t.connect(ln)
	t.must("Close", ln.Close)
	client, err := t.tryDial(address)
	if err != nil {
		t.Fatalf("Dial after Close: %v", err)
	}
	t.exchange(t.accept(t.listenOn(address)), client)
}
