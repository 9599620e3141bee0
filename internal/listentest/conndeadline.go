package listentest

import (
	"sync/atomic"
	"time"
)

var connDeadlineCases = []testCase{
	{"ConnReadDeadline", "net.Conn: a deadline applies to all future I/O; it can be extended or, with a zero value, taken away.", "", connReadDeadline},
	{"ConnWriteDeadline", "net.Conn: SetWriteDeadline sets the deadline for future Write calls and any currently-blocked Write call.", "", connWriteDeadline},
	{"ConnDeadlineWakesRead", "net.Conn: SetReadDeadline sets the deadline for future Read calls and any currently-blocked Read call.", "", connDeadlineWakesRead},
}

func connReadDeadline(t *trial) {
	server, client := t.pair()
	read := func() (int, error) { return server.Read(make([]byte, 1)) }
	t.must("SetDeadline", func() error { return server.SetDeadline(time.Now().Add(time.Hour)) })
	first := start(t, "Read past its deadline", read)
	first.mustBlock()
	t.must("SetReadDeadline", func() error { return server.SetReadDeadline(time.Now().Add(t.belief())) })
	t.wantTimeout(first.waitErr(), "read")
	t.wantTimeout(start(t, "Read past its deadline", read).waitErr(), "read") // it stays
	t.must("SetDeadline", func() error { return server.SetDeadline(never) })
	t.exchange(server, client)
}

// The client never reads, so that a Write must block some time.
func connWriteDeadline(t *trial) {
	server, client := t.pair()
	var written atomic.Int64
	t.must("SetWriteDeadline", func() error { return server.SetWriteDeadline(time.Now().Add(t.belief())) })
	err := soonErr(t, "Write past its deadline", func() error { return t.fill(server, &written) })
	t.wantTimeout(err, "write")
	t.send(client, "reading is not concerned")
	t.receive(server, "reading is not concerned")
}

func connDeadlineWakesRead(t *trial) {
	server, client := t.pair()
	read := start(t, "Read past its deadline", func() (int, error) { return server.Read(make([]byte, 1)) })
	read.mustBlock()
	t.must("SetReadDeadline", func() error { return server.SetReadDeadline(longAgo) })
	t.wantTimeout(read.waitErr(), "read")
	t.must("SetReadDeadline", func() error { return server.SetReadDeadline(never) })
	t.exchange(server, client)
}
