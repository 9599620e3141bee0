package workerproc

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/link"
)

// scripted is a listener whose n-th Accept, from 0 on, is what accept says.
type scripted struct {
	net.Listener
	n      int
	accept func(n int) (net.Conn, error)
}

func (s *scripted) SetDeadline(time.Time) error { return nil }

func (s *scripted) Accept() (net.Conn, error) {
	s.n++
	return s.accept(s.n - 1)
}

func newScripted(t *testing.T) (*scripted, *listener) {
	s := &scripted{Listener: listenTCP(t)}
	ln, err := newWorker(link.Identity{ID: 7}, newFakeLink()).trackListener(&listener{Listener: s}, bind.Request{})
	if err != nil {
		t.Fatal(err)
	}
	return s, baseOf(ln.(source))
}

// An Accept that fails since the listener was woken goes on, also if another Accept has ended that. At the program's deadline it fails.
func TestWokenAccept(t *testing.T) {
	s, l := newScripted(t)
	s.accept = func(n int) (net.Conn, error) {
		if n < 2 {
			l.wake()
		}
		if n == 1 {
			l.deadline.Restore(s) // by the other one
		}
		return nil, &net.OpError{Op: "accept", Err: os.ErrDeadlineExceeded}
	}
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) || s.n != 3 {
		t.Errorf("Accept fails at call %d: %v, want 3", s.n, err)
	}
}

// An Accept that is woken again and again needs no more memory for that.
func TestAcceptWokenOften(t *testing.T) {
	s, l := newScripted(t)
	var depths [100]int
	s.accept = func(n int) (net.Conn, error) {
		if n == len(depths) {
			return nil, io.EOF
		}
		depths[n] = runtime.Callers(0, make([]uintptr, 1000))
		l.wake()
		return nil, os.ErrDeadlineExceeded
	}
	if _, err := l.Accept(); err != io.EOF {
		t.Error(err)
	}
	if first, last := depths[0], depths[len(depths)-1]; first != last {
		t.Errorf("at first %d calls deep, then %d", first, last)
	}
}
