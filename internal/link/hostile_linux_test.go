//go:build linux

package link

import (
	"errors"
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/wire"
)

// A descriptor whose close blocks holds up nobody, wherever it is when it is closed: with its
// receiver, in the kernel's queue, or in this process's.
func TestCloseThatBlocks(t *testing.T) {
	for name, tt := range map[string]func(t *testing.T, a, b *Link, fd *descriptor.FD) (end func()){
		"received": func(t *testing.T, a, b *Link, fd *descriptor.FD) func() {
			mustSend(t, a, message(""), fd)
			awaitClosed(t, []*descriptor.FD{fd})
			return receiveN(t, b, 1)[0].Close
		},
		"of a frame that is skipped": func(t *testing.T, a, b *Link, fd *descriptor.FD) func() {
			mustSend(t, a, wire.Frame{Type: wire.Skippable + 100}, fd)
			mustSend(t, a, message(""))
			awaitClosed(t, []*descriptor.FD{fd})
			return func() { receiveN(t, b, 1) }
		},
		"in the kernel": func(t *testing.T, a, b *Link, fd *descriptor.FD) func() {
			mustSend(t, a, message(""), fd)
			awaitClosed(t, []*descriptor.FD{fd})
			return func() { _ = b.Close() }
		},
		"in the queue": func(t *testing.T, a, b *Link, fd *descriptor.FD) func() {
			block(t, b)
			mustSend(t, b, message(""), fd)
			return func() { _ = b.Close() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			noneLeft(t)
			a, b := pairOfLinks(t)
			conn, release := e2etest.SlowToClose(t)
			defer release()
			fd, err := descriptor.DupOf(conn)
			if err != nil {
				t.Fatal(err)
			}
			end, ended := tt(t, a, b, fd), make(chan struct{})
			_ = conn.Close()
			go func() { defer close(ended); end() }()
			await(t, name, ended)
		})
	}
}

// hostile is one sendmsg of a peer: bytes, and fds descriptors with them.
type hostile struct {
	bytes []byte
	fds   int
}

func frameBytes(t testing.TB, f wire.Frame) []byte {
	t.Helper()
	b, err := wire.Append(nil, f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// write sends h without any check. The descriptors are duplicates of one file, which
// write closes.
func (h hostile) write(t testing.TB, peer int) {
	t.Helper()
	var oob []byte
	if h.fds > 0 {
		f := someFD(t, "hostile")
		defer f.Close()
		ints := make([]int, h.fds)
		for i := range ints {
			ints[i] = f.Int()
		}
		oob = unix.UnixRights(ints...)
	}
	if err := unix.Sendmsg(peer, h.bytes, oob, nil, unix.MSG_NOSIGNAL); err != nil {
		t.Fatal(err)
	}
}

// A frame that breaks the protocol ends its link with the error that names the fault.
// Frames before it are delivered, all descriptors are closed, and other links of the
// process still work.
func TestHostilePeer(t *testing.T) {
	ready := frameBytes(t, wire.Frame{Type: wire.Ready})
	two := frameBytes(t, wire.Frame{Type: wire.Message, FDs: 2, Body: []byte("two")})
	most := frameBytes(t, wire.Frame{Type: wire.Message, FDs: wire.MaxFDs})
	unknown := append([]byte(nil), ready...)
	unknown[2] = byte(wire.Skippable) - 1
	huge := append([]byte(nil), ready...)
	huge[8] = 0xff
	for _, tt := range []struct {
		name   string
		writes []hostile
		before int
		want   error
	}{
		{"garbage", []hostile{{[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 0}}, 0, wire.ErrMagic},
		{"garbage with descriptors", []hostile{{[]byte("garbage"), 3}}, 0, wire.ErrMagic},
		{"garbage after frames", []hostile{{append(append([]byte(nil), ready...), "garbage"...), 0}}, 1, wire.ErrMagic},
		{"unknown type", []hostile{{unknown, 0}}, 0, wire.ErrType},
		{"too large", []hostile{{huge, 0}}, 0, wire.ErrTooLarge},
		{"truncated in the header", []hostile{{ready[:5], 0}}, 0, wire.ErrTruncated},
		{"truncated in the body", []hostile{{two[:13], 2}}, 0, wire.ErrTruncated},
		{"truncated after a frame", []hostile{{append(append([]byte(nil), ready...), 'R'), 0}}, 1, wire.ErrTruncated},
		{"more descriptors than a frame may have", []hostile{{most, 253}}, 0, wire.ErrDescriptors},
		{"one more than announced", []hostile{{two, 3}}, 1, wire.ErrDescriptors},
		{"one fewer than announced", []hostile{{two, 1}}, 0, wire.ErrDescriptors},
		{"none of those announced", []hostile{{two, 0}}, 0, wire.ErrDescriptors},
		{"descriptors without a frame", []hostile{{ready, 1}}, 1, wire.ErrDescriptors},
		{"descriptors within a body", []hostile{{two[:13], 2}, {two[13:14], 1}}, 0, wire.ErrDescriptors},
		{"descriptors with every byte of a header", []hostile{{ready[:1], 200}, {ready[1:2], 200}}, 0, wire.ErrDescriptors},
		{"nothing", nil, 0, io.EOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noneLeft(t)
			a, b := pairOfLinks(t)
			l, peer := rawPeer(t)
			for _, h := range tt.writes {
				h.write(t, peer)
			}
			closePeer(peer)
			got := await(t, "end", receiveAll(l))
			if n := len(got.bodies()); n != tt.before || !errors.Is(got.err, tt.want) {
				t.Errorf("%d frames and error %v; want %d and %v", n, got.err, tt.before, tt.want)
			}
			if _, err := l.Receive(); err != got.err {
				t.Errorf("second Receive: %v, the first %v", err, got.err)
			}
			mustSend(t, a, message("another link"), someFD(t, "x"))
			receiveN(t, b, 1)[0].Close()
		})
	}
}

// If the process has no room for all descriptors of a frame, the link ends, and those that
// the kernel has delivered are closed.
func TestOutOfDescriptors(t *testing.T) {
	noneLeft(t)
	l, peer := rawPeer(t)
	hostile{frameBytes(t, wire.Frame{Type: wire.Message, FDs: 20}), 20}.write(t, peer)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	free := someFD(t, "")
	highest := free.Int()
	free.Close()
	low := unix.Rlimit{Cur: uint64(highest) + 5, Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	_, err := l.Receive()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "receive", err, wire.ErrDescriptors)
}

// Control data that isn't descriptors is an error.
func TestOtherControlData(t *testing.T) {
	for name, oob := range map[string][]byte{
		"credentials": unix.UnixCredentials(&unix.Ucred{Pid: 1}),
		"garbage":     make([]byte, unix.SizeofCmsghdr),
	} {
		if fds, err := parseRights(oob, 0); !errors.Is(err, wire.ErrDescriptors) || fds != nil {
			t.Errorf("%s: %d descriptors, error %v", name, len(fds), err)
		}
	}
}
