package listentest

import (
	"errors"
	"net"
	"sync/atomic"
)

var connCloseCases = []testCase{
	{"ConnUseAfterClose", "net.ErrClosed: the error returned by an I/O call on a network connection that has already been closed.", "", connUseAfterClose},
	{"ConnCloseTwice", "net.ErrClosed: Close of what has already been closed says so, and does nothing.", "", connCloseTwice},
	{"ConnCloseConcurrent", "net.Conn: multiple goroutines may invoke methods on a Conn simultaneously. One Close closes it.", "", connCloseConcurrent},
	{"ConnCloseSeen", "net.Conn: Close closes the connection: its client reads the end.", "", connCloseSeen},
	{"ConnCloseWakesRead", "net.Conn: any blocked Read operations will be unblocked and return errors.", "", connCloseWakesRead},
	{"ConnCloseWakesWrite", "net.Conn: any blocked Write operations will be unblocked and return errors.", "", connCloseWakesWrite},
	{"ConnCounted", "The listener counts its conns: Close is idempotent (docs/contract.md#returned-counted).", "", connCounted},
}

func connUseAfterClose(t *trial) {
	server, _ := t.pair()
	t.must("Close", server.Close)
	_, err := soon(t, "Read", func() (int, error) { return server.Read(make([]byte, 1)) })
	t.wantClosed(err, "read")
	_, err = soon(t, "Write", func() (int, error) { return server.Write([]byte("x")) })
	t.wantClosed(err, "write")
	t.wantClosed(soonErr(t, "SetDeadline", func() error { return server.SetDeadline(never) }), "set")
}

func connCloseTwice(t *trial) {
	server, _ := t.pair()
	t.closeRepeatedly(server)
}

func connCloseConcurrent(t *trial) {
	server, _ := t.pair()
	t.closeByMany(server)
}

func connCloseSeen(t *trial) {
	server, client := t.pair()
	t.send(server, "farewell")
	t.must("Close", server.Close)
	t.receive(client, "farewell")
	t.receiveEOF(client)
}

func connCloseWakesRead(t *trial) {
	server, _ := t.pair()
	read := start(t, "Read during Close", func() (int, error) { return server.Read(make([]byte, 1)) })
	read.mustBlock()
	t.must("Close", server.Close)
	t.wantClosed(read.waitErr(), "read")
}

// The client never reads, so that a Write must block some time.
func connCloseWakesWrite(t *trial) {
	server, _ := t.pair()
	var written atomic.Int64
	fill := startErr(t, "Write during Close", func() error { return t.fill(server, &written) })
	for last := int64(-1); last != written.Load() && !fill.ended(t.belief()); {
		last = written.Load()
	}
	t.must("Close", server.Close)
	t.wantClosed(fill.waitErr(), "write")
}

// fill writes until there is an error.
func (t *trial) fill(conn net.Conn, written *atomic.Int64) error {
	chunk := make([]byte, t.chunk())
	for {
		n, err := conn.Write(chunk)
		written.Add(int64(n))
		if err != nil {
			return err
		}
	}
}

func connCounted(t *trial) {
	if t.suite.Open == nil {
		t.Skipf("the implementation does not count")
	}
	ln, before := t.listen(), t.suite.Open()
	one, _ := t.connect(ln)
	two, _ := t.connect(ln)
	t.wantOpen(before + 2)
	t.closeWrite(one)
	t.wantOpen(before + 2)
	t.must("Close", one.Close)
	if err := soonErr(t, "Close", one.Close); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the second Close: %v", err)
	}
	t.wantOpen(before + 1)
	t.must("Close", ln.Close)
	t.wantOpen(before + 1)
	t.must("Close", two.Close)
	t.wantOpen(before)
}

func (t *trial) wantOpen(want int) {
	t.Helper()
	if got := t.suite.Open(); got != want {
		t.Errorf("%d connections are counted as open, want %d", got, want)
	}
}
