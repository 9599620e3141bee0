// Package sharedsocket has what a worker does with a socket that other processes have too:
// closing it although they may have made it blocking, and leaving it out of Go's poller until
// it is used.
package sharedsocket

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// O_NONBLOCK is a flag of the open file, which every worker shares. If one of them clears
// it (by a system call of the program: nothing in package net or here does), accept(2) and
// recvfrom(2) block a thread each in all of them. The blocked threads still serve, but
// package net can't interrupt them, so Close, and with it the drain, would wait for the
// next connection. The functions here that close a socket therefore set the flag again, and,
// if that isn't enough, send the process's threads a signal that interrupts the call, which
// is restarted and finds the flag. So does Unblock for a call that has to look at what has changed.
// A program's own deadlines stay without effect until the master passes the socket on again.

// patience is how long closing, or failing, may take before threads are interrupted.
const patience = 20 * time.Millisecond

// Close closes a socket that other processes may have made blocking.
func Close(s io.Closer) (err error) {
	setNonblock(s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = s.Close()
	}()
	for {
		select {
		case <-done:
			return err
		case <-time.After(patience):
			interruptThreads()
		}
	}
}

// Unblock has a call of s fail whose deadline has passed, also where it blocks its thread. It waits until
// blocked returns false, and gives up after a second.
func Unblock(s any, blocked func() bool) {
	setNonblock(s)
	for begin := time.Now(); blocked() && time.Since(begin) < time.Second; time.Sleep(time.Millisecond) {
		if time.Since(begin) > patience {
			interruptThreads()
		}
	}
}

// UnblockSoon has a call whose deadline has passed fail, if that still blocks when one in Go's poller has failed.
func UnblockSoon(s any, blocked func() bool) {
	time.AfterFunc(patience, func() {
		if blocked() {
			Unblock(s, blocked)
		}
	})
}

// setNonblock sets the flag again, if s has a descriptor.
func setNonblock(s any) {
	sc, ok := s.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := sc.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = descriptor.SetNonblock(int(fd)) }) // fails if it is closed
	}
}

// Waits reports whether a connection or a datagram waits in the queue of s.
func Waits(s any) bool { return descriptor.Ask(s, descriptor.Waiting) }

// File returns a duplicate of s, which the caller closes, and which stays non-blocking:
// os.File clears the flag only if it has set it itself. The File methods of package net
// do clear it, so they are not used.
func File(s any, addr net.Addr) (*os.File, error) {
	fd, err := descriptor.DupOf(s)
	if err == nil {
		defer fd.Close()
		err = fd.SetNonblock()
	}
	if err != nil {
		return nil, &net.OpError{Op: "file", Net: addr.Network(), Addr: addr, Err: err}
	}
	return os.NewFile(uintptr(fd.Take()), addr.Network()+":"+addr.String()), nil
}
