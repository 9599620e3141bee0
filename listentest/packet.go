package listentest

import (
	"net"
	"runtime"
)

var packetCases = []testCase{
	{"Addr", "net.PacketConn: LocalAddr returns the local network address: the chosen port with it.", "", packetAddr},
	{"ReadBlocks", "net.PacketConn: ReadFrom reads a packet from the connection, and waits for it.", "", packetReadBlocks},
	{"Echo", "net.PacketConn: ReadFrom returns the address that was on the packet; WriteTo writes a packet to an address.", "", packetEcho},
	{"Queue", "POSIX recvfrom: packets wait in the socket's queue, in order, until they are read.", "", packetQueue},
	{"Empty", "net.PacketConn: a packet may be empty.", "", packetEmpty},
	{"Large", "net.PacketConn: a packet arrives whole.", "", packetLarge},
	{"Truncated", "POSIX recvfrom: the bytes of a packet that do not fit the buffer are discarded; the next ReadFrom reads the next packet.", "", packetTruncated},
	{"Methods", "Package net: the packet conn has the methods of *net.UDPConn or *net.UnixConn, with the same types.", "", packetMethods},
	{"Flags", "Package net: the socket has O_NONBLOCK and FD_CLOEXEC set.", "", packetFlags},
}

// packetConn returns a packet conn of the implementation under test on a fresh address.
func (t *trial) packetConn() net.PacketConn {
	t.Helper()
	return t.packetConnOn(t.address())
}

func (t *trial) packetConnOn(address string) net.PacketConn {
	t.Helper()
	pc, err := t.tryPacketConn(address)
	if err != nil {
		t.Fatalf("ListenPacket(%q, %q): %v", t.network, address, err)
	}
	return pc
}

func (t *trial) tryPacketConn(address string) (net.PacketConn, error) {
	t.Helper()
	pc, err := soon(t, "ListenPacket", func() (net.PacketConn, error) { return t.suite.listenPacket(t.network, address) })
	if err == nil {
		t.closeAtEnd("the packet conn", pc)
	}
	return pc, err
}

// peer returns a packet conn of package net.
func (t *trial) peer() net.PacketConn {
	t.Helper()
	pc, err := net.ListenPacket(t.network, t.address())
	if err != nil {
		t.Fatalf("net.ListenPacket(%q): %v", t.network, err)
	}
	pc.SetDeadline(t.end())
	t.Cleanup(func() { pc.Close() })
	return pc
}

func (t *trial) sendTo(from, to net.PacketConn, text string) {
	t.Helper()
	n, err := soon(t, "WriteTo", func() (int, error) { return from.WriteTo([]byte(text), to.LocalAddr()) })
	if n != len(text) || err != nil {
		t.Fatalf("WriteTo of %d bytes: %d, %v", len(text), n, err)
	}
}

// packet is the result of ReadFrom.
type packet struct {
	text string
	from net.Addr
}

func read(pc net.PacketConn, size int) func() (packet, error) {
	return func() (packet, error) {
		buf := make([]byte, size)
		n, from, err := pc.ReadFrom(buf)
		return packet{string(buf[:n]), from}, err
	}
}

// receiveFrom reads a packet into a buffer of size bytes.
func (t *trial) receiveFrom(pc, from net.PacketConn, text string, size int) {
	t.Helper()
	got, err := soon(t, "ReadFrom", read(pc, size))
	t.wantPacket(got, err, from, text)
}

func (t *trial) wantPacket(got packet, err error, from net.PacketConn, text string) {
	t.Helper()
	if err != nil || got.text != text {
		t.Fatalf("ReadFrom: %d bytes %.20q, %v; want %d, %.20q", len(got.text), got.text, err, len(text), text)
	}
	if !sameAddr(got.from, from.LocalAddr()) {
		t.Errorf("ReadFrom: from %T %v, want %v", got.from, got.from, from.LocalAddr())
	}
}

// converse sends a packet each way.
func (t *trial) converse(pc, peer net.PacketConn) {
	t.Helper()
	t.sendTo(peer, pc, "there")
	t.receiveFrom(pc, peer, "there", 64)
	t.sendTo(pc, peer, "and back")
	t.receiveFrom(peer, pc, "and back", 64)
}

func packetAddr(t *trial) {
	address := t.address()
	t.checkAddr(t.packetConnOn(address).LocalAddr(), address)
}

func packetReadBlocks(t *trial) {
	pc, peer := t.packetConn(), t.peer()
	reading := start(t, "ReadFrom", read(pc, 64))
	reading.mustBlock()
	t.sendTo(peer, pc, "late")
	got, err := reading.wait()
	t.wantPacket(got, err, peer, "late")
}

func packetEcho(t *trial) {
	pc := t.packetConn()
	for range 2 {
		t.converse(pc, t.peer())
	}
}

func packetQueue(t *trial) {
	pc, peer := t.packetConn(), t.peer()
	texts := []string{"one", "two", "three", "four"}
	for _, text := range texts {
		t.sendTo(peer, pc, text)
	}
	for _, text := range texts {
		t.receiveFrom(pc, peer, text, 64)
	}
}

func packetEmpty(t *trial) {
	pc, peer := t.packetConn(), t.peer()
	t.sendTo(peer, pc, "")
	t.receiveFrom(pc, peer, "", 64)
	t.sendTo(peer, pc, "not empty")
	t.receiveFrom(pc, peer, "not empty", 64)
}

// packetLarge uses sizes that every system accepts by default.
func packetLarge(t *trial) {
	size := 8 << 10
	if t.isUnix() {
		size = 1 << 10
	}
	pc, peer, text := t.packetConn(), t.peer(), string(payload(size))
	t.sendTo(peer, pc, text)
	t.receiveFrom(pc, peer, text, 1<<16)
	t.sendTo(pc, peer, text)
	t.receiveFrom(peer, pc, text, 1<<16)
}

func packetTruncated(t *trial) {
	if runtime.GOOS == "windows" {
		t.Skipf("Windows returns an error for a packet that does not fit")
	}
	pc, peer := t.packetConn(), t.peer()
	t.sendTo(peer, pc, "too long")
	t.sendTo(peer, pc, "next")
	t.receiveFrom(pc, peer, "too", 3)
	t.receiveFrom(pc, peer, "next", 64)
}

func packetMethods(t *trial) {
	t.wantMethods(t.packetConn(), t.peer())
}

func packetFlags(t *trial) { t.wantFlags(t.packetConn()) }
