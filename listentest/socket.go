package listentest

import (
	"net"
	"syscall"
)

var socketCases = []testCase{
	{"ConnSyscall", "syscall.Conn: SyscallConn returns a raw network connection.", "", connSyscall},
	{"ConnFlags", "Package net: an accepted connection has O_NONBLOCK and FD_CLOEXEC set.", "", connFlags},
	{"ConnKeepAlive", "net.ListenConfig: if KeepAlive is zero, keep-alives are enabled, with the values of package net. TCP_NODELAY is set too.", tcpNets, connKeepAlive},
}

// descriptor calls f with the descriptor of conn, which keeps it: f may not close it.
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
		t.Skipf("descriptor flags cannot be read on this platform: %v", err)
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

// options returns the socket options that package net sets on accepted connections.
func (t *trial) options(conn net.Conn) (values map[string]int) {
	t.Helper()
	var err error
	t.descriptor(conn, func(fd uintptr) { values, err = socketOptions(fd) })
	if err != nil {
		t.Skipf("socket options cannot be read on this platform: %v", err)
	}
	return values
}
