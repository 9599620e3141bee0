package listentest

import (
	"net"
	"time"
)

var packetCloseCases = []testCase{
	{"CloseWakesRead", "net.PacketConn: any blocked ReadFrom operations will be unblocked and return errors. The error is net.ErrClosed (docs/contract.md#returned-closed).", "", packetCloseWakesRead},
	{"UseAfterClose", "net.ErrClosed: the error returned by an I/O call on a network connection that has already been closed.", "", packetUseAfterClose},
	{"CloseTwice", "net.ErrClosed: Close of what has already been closed says so.", "", packetCloseTwice},
	{"CloseConcurrent", "net.PacketConn: multiple goroutines may invoke methods on a PacketConn simultaneously. One Close closes it.", "", packetCloseConcurrent},
	{"CloseReopen", "After Close the same address may be asked for again (docs/contract.md#sharing-3).", udpNets, packetReopen},
	{"CloseKeepsQueue", "It stays open in the master when workers leave: what comes meanwhile waits in its queue (docs/contract.md#sharing-1).", "", packetCloseKeepsQueue},
}

var packetDeadlineCases = []testCase{
	{"ReadDeadline", "net.PacketConn: a deadline applies to all future I/O; it can be extended or, with a zero value, taken away.", "", packetReadDeadline},
	{"WriteDeadline", "net.PacketConn: SetWriteDeadline sets the deadline for future WriteTo calls.", "", packetWriteDeadline},
	{"DeadlineWakesRead", "net.PacketConn: SetReadDeadline sets the deadline for future ReadFrom calls and any currently-blocked ReadFrom call.", "", packetDeadlineWakesRead},
}

func packetCloseWakesRead(t *trial) {
	pc := t.packetConn()
	var reads []*call[packet]
	for range several {
		reads = append(reads, start(t, "ReadFrom during Close", read(pc, 64)))
	}
	reads[0].mustBlock()
	t.must("Close", pc.Close)
	for _, r := range reads {
		t.wantClosed(r.waitErr(), "read")
	}
}

func packetUseAfterClose(t *trial) {
	pc, peer := t.packetConn(), t.peer()
	t.must("Close", pc.Close)
	t.wantClosed(start(t, "ReadFrom after Close", read(pc, 64)).waitErr(), "read")
	_, err := soon(t, "WriteTo after Close", func() (int, error) { return pc.WriteTo([]byte("x"), peer.LocalAddr()) })
	t.wantClosed(err, "write")
	t.wantClosed(soonErr(t, "SetDeadline", func() error { return pc.SetDeadline(never) }), "set")
}

func packetCloseTwice(t *trial) { t.closeRepeatedly(t.packetConn()) }

func packetCloseConcurrent(t *trial) { t.closeByMany(t.packetConn()) }

func packetReopen(t *trial) {
	pc, address := t.packetConnFree()
	for range 3 {
		t.must("Close", pc.Close)
		pc = t.packetConnOn(address)
		t.converse(pc, t.peer())
	}
}

// packetConnFree asks for a packet socket on an explicit address, as listenFree.
func (t *trial) packetConnFree() (pc net.PacketConn, address string) {
	t.Helper()
	var err error
	for range 5 {
		address = t.address()
		if !t.isUnix() {
			peer := t.peer()
			address = peer.LocalAddr().String()
			peer.Close()
		}
		if pc, err = t.tryPacketConn(address); err == nil {
			return pc, address
		}
	}
	t.Fatalf("ListenPacket(%q, %q), an address that is free: %v", t.network, address, err)
	return nil, ""
}

// The packet comes when nobody of this process listens. The queue is left empty.
func packetCloseKeepsQueue(t *trial) {
	if !t.suite.Shared {
		t.Skipf("the socket is not shared: it closes with its packet conn")
	}
	pc, address := t.packetConnFree()
	peer := t.peer()
	t.must("Close", pc.Close)
	t.sendTo(peer, pc, "to whom it may concern")
	t.receiveFrom(t.packetConnOn(address), peer, "to whom it may concern", 64)
}

func packetReadDeadline(t *trial) {
	pc, peer := t.packetConn(), t.peer()
	t.must("SetDeadline", func() error { return pc.SetDeadline(time.Now().Add(time.Hour)) })
	first := start(t, "ReadFrom past its deadline", read(pc, 64))
	first.mustBlock()
	t.must("SetReadDeadline", func() error { return pc.SetReadDeadline(time.Now().Add(t.belief())) })
	t.wantTimeout(first.waitErr(), "read")
	t.wantTimeout(start(t, "ReadFrom past its deadline", read(pc, 64)).waitErr(), "read") // it stays
	t.must("SetDeadline", func() error { return pc.SetDeadline(never) })
	t.converse(pc, peer)
}

func packetWriteDeadline(t *trial) {
	pc, peer := t.packetConn(), t.peer()
	t.must("SetWriteDeadline", func() error { return pc.SetWriteDeadline(longAgo) })
	_, err := soon(t, "WriteTo past its deadline", func() (int, error) { return pc.WriteTo([]byte("x"), peer.LocalAddr()) })
	t.wantTimeout(err, "write")
	t.must("SetWriteDeadline", func() error { return pc.SetWriteDeadline(never) })
	t.converse(pc, peer)
}

func packetDeadlineWakesRead(t *trial) {
	pc, peer := t.packetConn(), t.peer()
	reading := start(t, "ReadFrom past its deadline", read(pc, 64))
	reading.mustBlock()
	t.must("SetReadDeadline", func() error { return pc.SetReadDeadline(longAgo) })
	t.wantTimeout(reading.waitErr(), "read")
	t.must("SetReadDeadline", func() error { return pc.SetReadDeadline(never) })
	t.converse(pc, peer)
}
