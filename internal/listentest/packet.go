package listentest

import (
	"net"
	"runtime"
)

var packetCases = []testCase{
	{"Addr", "net.PacketConn: LocalAddr returns the local network address: the chosen port with it.", "", packetAddr},
	{"ReadBlocks", "net.PacketConn: ReadFrom reads a packet from the connection, and waits for it.", "", packetReadBlocks},
	{"Echo", "net.PacketConn: ReadFrom returns the address that was on the packet; WriteTo writes a packet to an address.", "", packetEcho},
	{"Queue", "What comes before it is asked for waits in the socket's queue, in order (docs/contract.md#sharing-1).", "", packetQueue},
	{"Empty", "net.PacketConn: a packet may be empty.", "", packetEmpty},
	{"Large", "net.PacketConn: a packet arrives whole.", "", packetLarge},
	{"Truncated", "io, recvfrom(2): what of a packet does not fit in the buffer is lost; the next ReadFrom gets the next packet.", "", packetTruncated},
	{"Methods", "The packet conn can do what *net.UDPConn or *net.UnixConn can (docs/contract.md#returned-packet).", "", packetMethods},
	{"Flags", "The socket is non-blocking and closes on exec (docs/facts.md#f-nonblock, docs/facts.md#f-received-flags).", "", packetFlags},
}

// packetConn asks the implementation for a packet socket on a fresh address.
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
	pc, err := soon(t, "ListenPacket", func() (net.PacketConn, error) { return t.suite.ListenPacket(t.network, address) })
	if err == nil {
		t.closeAtEnd("the packet conn", pc)
	}
	return pc, err
}

// peer is a packet socket of plain net.
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

// A packet is what ReadFrom returns.
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
	t.sendTo(peer, pc, "at last")
	got, err := reading.wait()
	t.wantPacket(got, err, peer, "at last")
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

// packetLarge stays below what the smallest of systems takes by default.
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
		t.Skipf("Windows has an error for it")
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
