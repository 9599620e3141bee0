//go:build linux

package turn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// With EPOLLEXCLUSIVE the kernel wakes, of the threads that wait in an epoll for a socket, the
// first of those that were entered so. A process of which no thread waits in that epoll doesn't
// count, and the next one is woken. So the epoll must be that of Go's runtime, in which a thread
// waits when the process has nothing to do: an epoll within that one never counts, and a thread
// that waits in one of its own costs more than it saves.
//
// The runtime enters each socket with a value that names the goroutines that wait for it. The kernel shows the
// entries of an epoll in /proc, so that the entry can be replaced by an exclusive one with the same
// value. When package net closes the socket, the runtime removes the entry.

// events are what a listener waits for. In an edge-triggered epoll nobody is woken again for
// what another process accepts.
const events = unix.EPOLLIN | unix.EPOLLET | unix.EPOLLEXCLUSIVE

// probeTime is how long the trial of the poller may take, which takes some microseconds.
const probeTime = time.Second

// lowNumbers are the descriptors that are looked at without listing all.
const lowNumbers = 64

// works reports whether the poller can be used.
func (p *Poller) works() bool {
	p.once.Do(p.find)
	return p.epoll >= 0
}

// take takes a socket out of the poller. It returns functions that have the poller wait for it,
// and no longer. ok is false if that can't be done; then the poller has it as before.
func (p *Poller) take(raw syscall.RawConn) (add, remove func(fd uintptr), ok bool) {
	add, remove, ok = entry(p.epoll, raw)
	return add, remove, ok && raw.Control(remove) == nil
}

// entry returns functions that add a socket to an epoll, exclusively, and remove it. ok is false if
// it isn't there now.
func entry(epoll int, raw syscall.RawConn) (add, remove func(fd uintptr), ok bool) {
	var event unix.EpollEvent
	_ = raw.Control(func(fd uintptr) { event, ok = eventOf(epoll, int(fd)) }) // fails if it is closed
	add = func(fd uintptr) {
		if !blocks(int(fd)) {
			// It fails if the user has no room for one more entry in all its epolls. Then the process is
			// not woken, and the master notices that nobody accepts.
			_ = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, int(fd), &event)
		}
	}
	remove = func(fd uintptr) { _ = unix.EpollCtl(epoll, unix.EPOLL_CTL_DEL, int(fd), nil) } // it may not be there
	return add, remove, ok
}

// blocks reports whether accept(2) of a socket blocks, because one of the processes that have it has
// cleared O_NONBLOCK. A thread that waits there has its turn in the kernel's list itself, and would miss
// what its process is woken for.
func blocks(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_NONBLOCK == 0
}

// eventOf returns an event with the value that descriptor fd has in an epoll.
func eventOf(epoll, fd int) (event unix.EpollEvent, ok bool) {
	line := fmt.Appendf(nil, "\ntfd: %8d events: ", fd) // and their number, and then the value, both hexadecimal
	_, rest, found := bytes.Cut(shown(epoll), line)
	_, rest, _ = bytes.Cut(rest, []byte("data: "))
	hex, _, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	value, err := strconv.ParseUint(string(hex), 16, 64)
	return withValue(value), found && err == nil
}

// shown returns what the kernel shows of a descriptor: of an epoll, its entries. Package os would need
// three times as many system calls, and each worker does this when it starts.
func shown(fd int) (b []byte) {
	f, err := unix.Open("/proc/self/fdinfo/"+strconv.Itoa(fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(f)
	b = make([]byte, 0, 4096)
	for {
		n, err := unix.Read(f, b[len(b):cap(b)])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			return b
		}
		b = slices.Grow(b[:len(b)+n], 1)
	}
}

func withValue(value uint64) unix.EpollEvent {
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], value)
	return unix.EpollEvent{
		Events: events,
		Fd:     int32(binary.NativeEndian.Uint32(b[:4])),
		Pad:    int32(binary.NativeEndian.Uint32(b[4:])),
	}
}

// find finds the runtime's epoll, and tries it with a socket of its own.
func (p *Poller) find() {
	p.epoll = -1
	c, peer, err := pair()
	if err != nil {
		return // out of descriptors, for example
	}
	defer c.Close()
	defer unix.Close(peer)
	raw, err := c.(syscall.Conn).SyscallConn() // of a *net.UnixConn
	if err != nil {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(probeTime)) // it is open
	if n, add, remove := epollOf(raw, peer); n >= 0 && works(raw, peer, add, remove) {
		p.epoll = n
	}
}

// pair returns a connection and the descriptor of its peer. The caller closes both.
func pair() (c net.Conn, peer int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	file := os.NewFile(uintptr(fds[0]), "socket")
	defer file.Close()
	if c, err = net.FileConn(file); err != nil { // a duplicate
		_ = unix.Close(fds[1])
		return nil, 0, err
	}
	return c, fds[1], nil
}

// epollOf returns the epoll of this process that has a socket, with the functions of entry; -1 if none
// has. other is a descriptor that no epoll has. The runtime makes its own early, so that it has a low
// number: only if none of these is the one, all descriptors are listed.
func epollOf(raw syscall.RawConn, other int) (epoll int, add, remove func(fd uintptr)) {
	for n := range lowNumbers {
		if add, remove, ok := entryOf(n, raw, other); ok {
			return n, add, remove
		}
	}
	for _, n := range descriptor.Open() { // none without /proc
		if add, remove, ok := entryOf(n, raw, other); ok {
			return n, add, remove
		}
	}
	return -1, nil, nil
}

// entryOf is entry for a descriptor n that may be no epoll. other is a descriptor that no epoll has:
// taking that out changes nothing, and fails in another way if n is no epoll. To look into /proc takes
// longer.
func entryOf(n int, raw syscall.RawConn, other int) (add, remove func(fd uintptr), ok bool) {
	if unix.EpollCtl(n, unix.EPOLL_CTL_DEL, other, nil) != unix.ENOENT {
		return nil, nil, false
	}
	return entry(n, raw)
}

// works reports whether a Read of a socket of package net is woken by what its peer sends, where an
// epoll has the socket exclusively: whether that epoll is the runtime's, and the runtime knows the
// socket by the value alone. The socket has a deadline. add and remove are those of entry.
func works(raw syscall.RawConn, peer int, add, remove func(fd uintptr)) bool {
	calls := 0
	err := raw.Read(func(fd uintptr) bool {
		if calls++; calls > 1 {
			return true
		}
		remove(fd)
		add(fd)
		_, err := unix.Write(peer, []byte{0})
		return err != nil // false: now the goroutine waits
	})
	return err == nil && calls > 1
}
