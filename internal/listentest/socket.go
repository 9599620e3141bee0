package listentest

import (
	"net"
	"syscall"
)

var socketCases = []testCase{
	{"ConnSyscall", "SyscallConn keeps working (docs/contract.md#returned-conns).", "", connSyscall},
	{"ConnFlags", "An accepted connection is non-blocking and closes on exec (docs/facts.md#f-nonblock, docs/facts.md#f-received-flags).", "", connFlags},
	{"ConnKeepAlive", "net.ListenConfig: if zero, keep-alive probes are enabled on accepted connections, as net sets them; TCP_NODELAY likewise.", tcpNets, connKeepAlive},
}

// descriptor runs f on the descriptor of a connection, which is f's until it returns.
func (t *trial) descriptor(conn any, f func(fd uintptr)) {
	t.Helper()
	sc, ok := conn.(syscall.Conn)
	if !ok {
		t.Fatalf("%T has no SyscallConn", conn)
	}
	raw, err := soon(t, "SyscallConn", sc.SyscallConn)
	if err != nil {
		t.Fatalf("SyscallConn: %v", err)
	}
	t.must("RawConn.Control", func() error { return raw.Control(f) })
}

func connSyscall(t *trial) {
	server, client := t.pair()
	seen := false
	t.descriptor(server, func(uintptr) { seen = true })
	if !seen {
		t.Errorf("RawConn.Control did not call its function")
	}
	t.exchange(server, client)
}

func connFlags(t *trial) {
	server, _ := t.pair()
	t.wantFlags(server)
}

func (t *trial) wantFlags(conn any) {
	t.Helper()
	var nonblock, cloexec bool
	var err error
	t.descriptor(conn, func(fd uintptr) { nonblock, cloexec, err = descriptorFlags(fd) })
	if err != nil {
		t.Skipf("flags of descriptors are unknown here: %v", err)
	}
	if !nonblock || !cloexec {
		t.Errorf("non-blocking is %v, close-on-exec %v, want both", nonblock, cloexec)
	}
}

func connKeepAlive(t *trial) {
	server, _ := t.pair()
	plain := t.plainListen(t.address())
	t.dialTo(plain.Addr().String())
	got, want := t.options(server), t.options(t.accept(plain))
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %d, net sets %d", name, got[name], value)
		}
	}
}

// options are those that net sets on accepted connections, by name.
func (t *trial) options(conn net.Conn) (values map[string]int) {
	t.Helper()
	var err error
	t.descriptor(conn, func(fd uintptr) { values, err = socketOptions(fd) })
	if err != nil {
		t.Skipf("socket options are unknown here: %v", err)
	}
	return values
}
