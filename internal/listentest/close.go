package listentest

import (
	"errors"
	"io"
	"net"
	"os"
)

var closeCases = []testCase{
	{"CloseWakesAccept", "net.Listener: any blocked Accept operations will be unblocked and return errors. After Close, Accept gives net.ErrClosed (docs/contract.md#returned-closed).", "", closeWakesAccept},
	{"AcceptAfterClose", "After Close, Accept gives net.ErrClosed (docs/contract.md#returned-closed).", "", acceptAfterClose},
	{"CloseTwice", "net.ErrClosed: the error returned by an I/O call on a network connection that has already been closed.", "", closeTwice},
	{"CloseConcurrent", "net.Listener: multiple goroutines may invoke methods on a Listener simultaneously. One Close closes it, the others are told.", "", closeConcurrent},
	{"CloseKeepsConns", "net.TCPListener: Close stops listening; already accepted connections are not closed.", "", closeKeepsConns},
	{"CloseReopen", "After Close the same address may be asked for again (docs/contract.md#sharing-3).", "", closeReopen},
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

// closeByMany closes c from several goroutines.
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
