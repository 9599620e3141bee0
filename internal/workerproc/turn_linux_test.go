//go:build linux

package workerproc

import (
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/turn"
	"github.com/rota-go/rota/internal/wire"
)

// inTurn is a worker that the master has given a listening socket, and that socket.
type inTurn struct {
	*bench
	listener net.Listener
	socket   net.Listener // the master's
}

func listenInTurn(t *testing.T, network string, body wire.SocketBody, holdOff time.Duration) *inTurn {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	i := &inTurn{bench: &bench{link: newFakeLink()}, socket: ln}
	i.Worker = newWorker(link.Identity{ID: 7}, i.link)
	i.Worker.times.Store(&wire.WelcomeBody{HoldOff: holdOff})
	i.link.onSend = func(f wire.Frame) {
		if f.Type == wire.Listen {
			p := packet(wire.Socket, f.Call, dupOf(t, ln))
			p.Body = wire.Body(body)
			go i.handle(p)
		}
	}
	i.listener, err = i.Listen(t.Context(), bind.Request{Network: network, Address: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.listener.Close() })
	return i
}

// order is a frame of the master without descriptors.
func order(of wire.Type, body any) link.Packet {
	p := packet(of, 0)
	p.Body = wire.Body(body)
	return p
}

func dupOf(t *testing.T, s any) *descriptor.FD {
	t.Helper()
	fd, err := descriptor.DupOf(s)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// A worker takes turns at a socket where the master says so, also on trial, and its listener has the
// methods of its kind.
func TestListenInTurn(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, turns := range []bool{false, true} {
			for _, holdOff := range []time.Duration{0, time.Hour} {
				i := listenInTurn(t, network, wire.SocketBody{ID: 3, InTurn: turns}, holdOff)
				_, got := baseOf(i.listener.(source)).Listener.(*turn.Listener)
				if got != turns {
					t.Errorf("%s: turns %v, hold-off %v: %T", network, turns, holdOff, baseOf(i.listener.(source)).Listener)
				}
				_, tcp := i.listener.(interface {
					AcceptTCP() (*net.TCPConn, error)
				})
				_, unix := i.listener.(interface {
					AcceptUnix() (*net.UnixConn, error)
				})
				if tcp != (network == "tcp") || unix != (network == "unix") {
					t.Errorf("%s: turns %v: AcceptTCP %v, AcceptUnix %v", network, turns, tcp, unix)
				}
			}
		}
	}
}

// miss has the program call Accept, and a connection come for which another process is woken. On a busy machine one of the two may
// not wait yet when it comes: then it is tried again.
func (i *inTurn) miss(t *testing.T) (accepted <-chan error) {
	t.Helper()
	for range 50 {
		waitAhead(t, i.socket.(syscall.Conn))
		if accepted, missed := i.tryMiss(t); missed {
			return accepted
		}
	}
	t.Fatal("it is always the worker's turn")
	return nil
}

// missNext has the program call Accept, and a connection come while it stands by.
func (i *inTurn) missNext(t *testing.T) (accepted <-chan error) {
	t.Helper()
	accepted, missed := i.tryMiss(t)
	if !missed {
		t.Fatal("it is not the worker's turn")
	}
	return accepted
}

func (i *inTurn) tryMiss(t *testing.T) (accepted <-chan error, missed bool) {
	t.Helper()
	result := make(chan error, 1)
	go func() {
		c, err := i.listener.Accept()
		if err == nil {
			c.Close()
		}
		result <- err
	}()
	for end := time.Now().Add(10 * time.Second); baseOf(i.listener.(source)).accepting.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no Accept")
		}
	}
	time.Sleep(10 * time.Millisecond) // until it blocks
	c, err := net.Dial(i.socket.Addr().Network(), i.socket.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	select {
	case err := <-result:
		if err != nil {
			t.Fatal(err)
		}
		return nil, false
	case <-time.After(10 * time.Millisecond):
		return result, true
	}
}

// waitAhead is another process that waits for one connection, ahead of all that wait later.
func waitAhead(t *testing.T, s syscall.Conn) {
	t.Helper()
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := s.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) {
			err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET | unix.EPOLLEXCLUSIVE})
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var e [1]unix.EpollEvent
		for n, err := 0, error(nil); n == 0 && (err == nil || err == unix.EINTR); {
			n, err = unix.EpollWait(epoll, e[:], 10_000)
		}
	}()
	t.Cleanup(func() { <-ended; unix.Close(epoll) })
	time.Sleep(10 * time.Millisecond) // until it blocks
}

// A connection for which another process was woken that doesn't accept it is accepted when the master
// asks for help, and when the worker empties the queue at a stop.
func TestTurnOfAnother(t *testing.T) {
	for name, look := range map[string]func(t *testing.T, i *inTurn){
		"help": func(t *testing.T, i *inTurn) {
			if err := i.help(order(wire.Help, wire.HelpBody{ID: 3})); err != nil {
				t.Fatal(err)
			}
		},
		"a stop": func(t *testing.T, i *inTurn) {
			if !anyWaits([]*listener{baseOf(i.listener.(source))}) {
				t.Error("nobody waits")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := listenInTurn(t, "tcp", wire.SocketBody{ID: 3, InTurn: true}, 0)
			result := i.miss(t)
			look(t, i)
			select {
			case err := <-result:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("nobody accepts")
			}
			if n := baseOf(i.listener.(source)).worker.drain.accepts.Load(); name == "help" && n != 0 {
				t.Errorf("the drain waits for %d Accepts", n)
			}
		})
	}
}

// So it is where Accept blocks its thread, as another process has cleared O_NONBLOCK, even if it is set again.
func TestTurnThatBlocks(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for name, wake := range map[string]func(t *testing.T, i *inTurn){
			"help": func(t *testing.T, i *inTurn) {
				if err := i.help(order(wire.Help, wire.HelpBody{ID: 3})); err != nil {
					t.Fatal(err)
				}
			},
			"help after the flag is set": func(t *testing.T, i *inTurn) {
				setBlocking(t, i.socket, false)
				baseOf(i.listener.(source)).wake()
			},
			"a connection that moves here": func(t *testing.T, i *inTurn) {
				server, client := net.Pipe()
				t.Cleanup(func() { client.Close() })
				l := baseOf(i.listener.(source))
				l.moved.Add(server)
				l.wake()
			},
		} {
			t.Run(network+" "+name, func(t *testing.T) {
				i := listenInTurn(t, network, wire.SocketBody{ID: 3, InTurn: true}, 0)
				setBlocking(t, i.socket, true)
				result := i.miss(t)
				wake(t, i)
				select {
				case err := <-result:
					if err != nil {
						t.Error(err)
					}
				case <-time.After(10 * time.Second):
					t.Error("nobody accepts")
					setBlocking(t, i.socket, false)
				}
			})
		}
	}
}

func setBlocking(t *testing.T, s net.Listener, is bool) {
	t.Helper()
	fd := dupOf(t, s) // of the same open file
	defer fd.Close()
	if err := unix.SetNonblock(fd.Int(), !is); err != nil {
		t.Fatal(err)
	}
}

// A worker that stands by leaves connections to others, until the master asks it to look, or its queue is to be emptied; and it drains.
func TestStandBy(t *testing.T) {
	for name, ends := range map[string]func(t *testing.T, i *inTurn) error{
		"its turn": func(t *testing.T, i *inTurn) error { return i.standBy(standBy(0)) },
		"help":     func(t *testing.T, i *inTurn) error { return i.help(order(wire.Help, wire.HelpBody{ID: 3})) },
		"a stop": func(t *testing.T, i *inTurn) error {
			anyWaits([]*listener{baseOf(i.listener.(source))})
			return nil
		},
		"a drain": func(t *testing.T, i *inTurn) error {
			i.startDrain()
			<-i.Done()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := listenInTurn(t, "tcp", wire.SocketBody{ID: 3, InTurn: true}, 0)
			if err := i.standBy(standBy(time.Hour)); err != nil {
				t.Fatal(err)
			}
			result := i.missNext(t)
			if err := ends(t, i); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-result:
				if left := errors.Is(err, net.ErrClosed); left != (name == "a drain") || !left && err != nil {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("Accept doesn't end")
			}
		})
	}
}

func standBy(d time.Duration) link.Packet {
	return order(wire.StandBy, wire.StandByBody{ID: 3, For: d})
}

// The master may name a socket that the worker has closed, or whose listener takes no turns.
func TestStandByOfAnother(t *testing.T) {
	i := listenInTurn(t, "tcp", wire.SocketBody{ID: 3}, 0)
	for range 2 {
		if err := i.standBy(standBy(time.Hour)); err != nil {
			t.Error(err)
		}
		i.listener.Close()
	}
	p := standBy(0)
	p.Body = []byte("{")
	if err := i.standBy(p); err == nil {
		t.Error("a body that is no JSON is taken")
	}
}
