package listentest

import (
	"net"
	"time"
)

func brokenPackets(w *workshop) []broken {
	immortal := w.packet(func(p *fakePacket) { p.close = func() error { return nil } })
	timeless := w.packet(func(p *fakePacket) {
		p.deadline = func(time.Time) error { return nil }
		p.wdeadline = p.deadline
	})
	silent := w.packet(func(p *fakePacket) { p.close = func() error { p.UDPConn.Close(); return nil } })
	return []broken{
		{"LocalAddr has port 0", "udp/Addr", "a port that is not 0", w.packet(func(p *fakePacket) {
			p.local = func() net.Addr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)} }
		})},
		{"ReadFrom does not wait", "udp/ReadBlocks", "ReadFrom did not block", w.packet(func(p *fakePacket) {
			p.read = func([]byte) (int, net.Addr, error) { return 0, nil, nil }
		})},
		{"ReadFrom gives its own address", "udp/Echo", "ReadFrom: from", w.packet(func(p *fakePacket) {
			p.read = func(b []byte) (int, net.Addr, error) {
				n, _, err := p.UDPConn.ReadFrom(b)
				return n, p.UDPConn.LocalAddr(), err
			}
		})},
		{"WriteTo answers the wrong one", "udp/Echo", "ReadFrom is stuck", w.packet(func(p *fakePacket) {
			p.write = func(b []byte, _ net.Addr) (int, error) { return p.UDPConn.WriteTo(b, p.UDPConn.LocalAddr()) }
		})},
		{"the queue loses its first", "udp/Queue", "ReadFrom: 3 bytes \"two\"", w.packet(losesFirstPacket)},
		{"packets that are empty are lost", "udp/Empty", "ReadFrom is stuck", w.packet(losesFirstPacket)},
		{"packets are cut off", "udp/Large", "ReadFrom: 1500 bytes", w.packet(func(p *fakePacket) {
			p.read = func(b []byte) (int, net.Addr, error) { return p.UDPConn.ReadFrom(b[:min(len(b), 1500)]) }
		})},
		{"what does not fit comes next", "udp/Truncated", `" lo"`, w.packet(keepsTheRest)},
		{"methods are missing", "udp/Methods", "has no method ReadMsgUDP", w.barePacket()},
		{"there is no SyscallConn", "udp/Flags", "has no SyscallConn", w.barePacket()},
		{"ReadFrom does not wake", "udp/CloseWakesRead", "ReadFrom during Close is stuck", immortal},
		{"Close closes nothing", "udp/UseAfterClose", "ReadFrom after Close is stuck", immortal},
		{"the second Close says nothing", "udp/CloseTwice", "no error", silent},
		{"the second Close says nothing", "udp/CloseConcurrent", "8 of 8 calls of Close closed it", silent},
		{"Close closes nothing", "udp/CloseReopen", "address already in use", immortal},
		{"the socket closes with its listener", "unixgram/CloseKeepsQueue", "WriteTo of", suite{listenPacket: net.ListenPacket, Options: Options{Shared: true}}},
		{"the deadline is too early", "udp/ReadDeadline", "did not block", w.packet(func(p *fakePacket) {
			p.deadline = func(time.Time) error { return p.UDPConn.SetReadDeadline(longAgo) }
		})},
		{"there are no deadlines", "udp/ReadDeadline", "ReadFrom past its deadline is stuck", timeless},
		{"there are no deadlines", "udp/WriteDeadline", "write: no error", timeless},
		{"there are no deadlines", "udp/DeadlineWakesRead", "ReadFrom past its deadline is stuck", timeless},
	}
}

func losesFirstPacket(p *fakePacket) {
	lost := false
	p.read = func(b []byte) (int, net.Addr, error) {
		if !lost {
			lost = true
			p.UDPConn.ReadFrom(b)
		}
		return p.UDPConn.ReadFrom(b)
	}
}

// keepsTheRest reads like a stream.
func keepsTheRest(p *fakePacket) {
	var rest []byte
	var sender net.Addr
	p.read = func(b []byte) (int, net.Addr, error) {
		if len(rest) == 0 {
			buf := make([]byte, 1<<16)
			n, from, err := p.UDPConn.ReadFrom(buf)
			if err != nil {
				return 0, nil, err
			}
			rest, sender = buf[:n], from
		}
		n := copy(b[:min(len(b), 3)], rest)
		rest = rest[n:]
		return n, sender, nil
	}
}

// barePacket gives packet conns that can do nothing special.
func (w *workshop) barePacket() suite {
	s := w.packet(func(*fakePacket) {})
	listen := s.listenPacket
	s.listenPacket = func(network, address string) (net.PacketConn, error) {
		pc, err := listen(network, address)
		return struct{ net.PacketConn }{pc}, err
	}
	return s
}
