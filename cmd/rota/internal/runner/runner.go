//go:build linux

package runner

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/cmd/rota/internal/reopen"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

// Options are those of the command line.
type Options struct {
	Bind    []string       // addresses: host:port, tcp4:host:port, unix:path, fd:name
	Workers int            // zero: as ROTA_WORKERS says
	Ready   Ready          // when the program counts as ready
	Leave   syscall.Signal // tells the program to finish and end
	Command []string       // the program and its arguments
}

// Run makes this process the master, and doesn't return there. In a worker it returns when
// the program has ended, with its exit status, or 128 plus the number of the signal that has
// killed it.
func Run(o Options) (status int, err error) {
	if err := rota.Setup(master.Config{Workers: o.Workers, WaitReady: true}); err != nil {
		return 0, err
	}
	sockets, err := listen(o.Bind)
	if err != nil {
		return 0, err
	}
	if worker.Self() == nil {
		return 0, errors.New("this process has no master: ROTA is off")
	}
	p, err := start(o, sockets)
	if err != nil {
		return 0, err
	}
	return p.serve(o, reopen.Signals()), nil
}

// socket is one of the program's, and the address that SERVER_STARTER_PORT names it by.
type socket struct {
	fd   int // a duplicate, which stays open as long as this process
	name string
}

// listen asks the master for the sockets. The process keeps their listeners, which it never
// accepts from.
func listen(addresses []string) (all []socket, err error) {
	for _, a := range addresses {
		network, address := split(a)
		ln, err := rota.Listen(network, address)
		if err != nil {
			return nil, err
		}
		fd, err := duplicate(ln)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a, err)
		}
		all = append(all, socket{fd, ln.Addr().String()})
	}
	return all, nil
}

// duplicate returns a descriptor of the listener's socket. It is never an os.File, which would
// clear O_NONBLOCK for all that have the socket.
func duplicate(ln net.Listener) (fd int, err error) {
	conn, ok := ln.(syscall.Conn)
	if !ok {
		return 0, errors.New("the listener has no descriptor")
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	control := raw.Control(func(s uintptr) { fd, err = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(control, err)
}

// split returns the network and the address of -b.
func split(s string) (network, address string) {
	for _, n := range []string{"tcp", "tcp4", "tcp6", "unix", "fd"} {
		if rest, ok := strings.CutPrefix(s, n+":"); ok {
			return n, rest
		}
	}
	return "tcp", s
}

// serve waits for the program's end. It passes on what comes to again, and tells the program to leave when
// this worker is asked to.
func (p *program) serve(o Options, again <-chan os.Signal) int {
	self := worker.Self()
	self.OnDisconnect(func(ctx context.Context) error { return p.leave(ctx, o.Leave) })
	ready := make(chan struct{})
	go func() {
		if o.Ready.wait(p) {
			close(ready)
			_ = self.Ready() // fails if the worker leaves
		}
	}()
	p.pass(again, ready)
	return p.status()
}

// pass passes SIGUSR1 on until the program ends. It would kill a program that doesn't handle it
// yet: before the program is ready it stays in again, which has room for one.
func (p *program) pass(again <-chan os.Signal, ready <-chan struct{}) {
	select {
	case <-ready:
	case <-p.ended:
		return
	}
	for {
		select {
		case <-again:
			p.signal(syscall.SIGUSR1)
		case <-p.ended:
			return
		}
	}
}

// leave asks the program to end, and waits until it has. At the end of the grace it is killed.
func (p *program) leave(ctx context.Context, how syscall.Signal) error {
	p.signal(how)
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
	}
	p.kill()
	<-p.ended
	return fmt.Errorf("process %d was killed at the end of the grace", p.process.Pid)
}
