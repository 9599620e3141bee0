package worker

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// O_NONBLOCK belongs to the open file, which every worker shares. If one of them
// clears it (with a system call of its own: nothing in package net or here does),
// accept(2) and recvfrom(2) block a thread each in all of them. Work goes on: the
// blocked threads take what comes. But package net can't interrupt them, so Close
// would wait for the next connection, and with it the drain. What ends a socket here
// therefore sets the flag again, and if that isn't enough sends the process's threads
// a signal that interrupts such a call, which begins again and finds the flag.
// Deadlines can't be helped that way: they work again after the next hand-out.

// patience is how long an end may take before threads are interrupted.
const patience = 20 * time.Millisecond

// closeShared closes a socket that other processes may have made blocking.
func closeShared(s io.Closer) (err error) {
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

// untilFree waits until a condition holds for which threads may have to be
// interrupted, and gives up after a second.
func untilFree(free func() bool) {
	for begin := time.Now(); !free() && time.Since(begin) < time.Second; time.Sleep(time.Millisecond) {
		if time.Since(begin) > patience {
			interruptThreads()
		}
	}
}

// setNonblock sets the flag again, where s has a descriptor.
func setNonblock(s any) {
	sc, ok := s.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := sc.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = descriptor.SetNonblock(int(fd)) }) // closed: nothing to set
	}
}

// fileOf returns a copy of s, the caller's to close, that stays non-blocking: os.File
// clears the flag only if it has set it. (The files that package net makes are the
// exception, which is why theirs is not used.)
func fileOf(s any, addr net.Addr) (*os.File, error) {
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
