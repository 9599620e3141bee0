package listentest

var keptCases = []testCase{
	{"CloseRefuses", "net.TCPListener: Close stops listening on the TCP address.", "", closeRefuses},
	{"CloseKeepsQueue", "It stays open in the master when workers leave: connections wait in its queue and none is refused (docs/contract.md#sharing-1).", "", closeKeepsQueue},
}

// In both cases a connection stays open, so that meanwhile the system gives its
// port to nobody else, who would be the one to answer.

func closeRefuses(t *trial) {
	if t.suite.Shared {
		t.Skipf("the socket is shared: someone else keeps it")
	}
	ln := t.listen()
	t.connect(ln)
	t.must("Close", ln.Close)
	if _, err := t.tryDial(ln.Addr().String()); err == nil {
		t.Errorf("a client can connect after Close")
	}
}

// The client comes when nobody of this process listens, and waits for who does
// next. The queue is left empty.
func closeKeepsQueue(t *trial) {
	if !t.suite.Shared {
		t.Skipf("the socket is not shared: it closes with its listener")
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
