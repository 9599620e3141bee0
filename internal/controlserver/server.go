// Package controlserver serves a master's control socket: the file of the socket, its clients,
// and what they ask for. It runs on goroutines of its own, and is bounded: clients are accepted at a pace,
// a number of them are served at a time, what is worked out for them is worked out for one at a time, and a status is
// encoded once for all. So no client, however many they are and whatever they send or don't read, delays the master.
package controlserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/mailbox"
	"github.com/rota-go/rota/internal/newest"
	"github.com/rota-go/rota/status"
)

const (
	maxClients   = 64                     // that are served; more are answered that it is busy
	countTimeout = 300 * time.Millisecond // for the workers to say what they have counted
	readTimeout  = 2 * time.Second        // for the request
	writeTimeout = 2 * time.Second        // for a line of the answer
	endTimeout   = 300 * time.Millisecond // for the clients at the end of the master
	moveTimeout  = time.Second            // for a new master to take the path over
	lockTimeout  = 200 * time.Millisecond // for another process that has locked the directory of the socket
	beat         = 5 * time.Second        // between two lines, so that a client that has gone is noticed
)

// Master is what a Server needs of a master. Any goroutine may call its methods.
type Master interface {
	Count(context.Context) status.Status // asks the workers; the zero value after Close
	Watch(context.Context) <-chan status.Status
	Reload(context.Context) error
	ReloadCanary(context.Context, int, time.Duration) error
	Rollback(context.Context) error
	Promote(context.Context) error
	Abort(context.Context) error
	Pause(context.Context) error
	Resume(context.Context) error
	Upgrade(context.Context) error
	ScaleContext(context.Context, int) error
	Restart(context.Context, int) error
	SetDrained(context.Context, bool) error
	Stop() error
}

// Server is the control socket of a master. The zero value serves nothing. Its methods are called on the
// goroutine of Turns, and don't block: what they do to the file is done in Turns, in their order.
type Server struct {
	Master Master
	Turns  *mailbox.Turns
	Failed func(error) // the socket can't be made; called as Turns does

	file   *file              // nil: there is none; used in Turns
	cancel context.CancelFunc // ends the clients; used in Turns
	wait   func()             // waits for the clients; used in Turns
}

// Open makes the socket at path, which has no other master's socket unless this master succeeds
// that one, and begins to serve it. It does nothing if path is "", or a socket is open.
func (s *Server) Open(path string, succeeds bool) {
	if path == "" {
		return
	}
	s.Turns.Do("control", func() func() {
		if s.file != nil {
			return func() {}
		}
		f, err := listen(path, succeeds)
		if err != nil {
			return func() { s.Failed(err) }
		}
		s.file = f
		s.serve(f)
		return func() {}
	})
}

// Disown says that another master may take the path of the socket over. Clients are served as before.
func (s *Server) Disown() {
	s.Turns.Do("control", func() func() {
		if s.file != nil {
			s.file.disowned = true
		}
		return func() {}
	})
}

// Close ends the clients, of which those that wait for a result may get it, closes the socket, and removes its file, unless another
// master's is there by now.
func (s *Server) Close() {
	s.Turns.Do("control", func() func() {
		if s.file != nil {
			s.cancel()
			s.file.close()
			s.wait()
			s.file = nil
		}
		return func() {}
	})
}

// serve accepts clients on a goroutine of its own, until Close.
func (s *Server) serve(f *file) {
	ctx, cancel := context.WithCancel(context.Background())
	a := &acceptor{master: s.Master, isReplaced: f.isReplaced, ctx: ctx, clients: make(chan struct{}, maxClients)}
	a.recent.Get = a.count
	s.cancel, s.wait = cancel, a.all.Wait
	a.all.Add(1)
	go func() {
		defer a.all.Done()
		a.accept(f.ln)
	}()
}

// acceptor accepts the clients of one socket.
type acceptor struct {
	master     Master
	recent     newest.Source[status.Status] // shared by all clients
	isReplaced func() bool                  // the path is another master's
	ctx        context.Context              // ends with Close
	pace       pace
	clients    chan struct{} // a value for each that is served
	work       sync.Mutex    // of alone
	lines      lines         // of statuses
	all        sync.WaitGroup
}

func (a *acceptor) accept(ln *net.UnixListener) {
	for {
		a.sleep(a.pace.next(time.Now()))
		c, err := ln.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // too many open files
			a.sleep(100 * time.Millisecond)
		default:
			a.admit(c)
		}
	}
}

// sleep sleeps for d, or until Close.
func (a *acceptor) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-a.ctx.Done():
	}
}

// alone calls f while nothing else is worked out for a client: however many they are, they keep one processor busy at most.
func (a *acceptor) alone(f func()) {
	a.work.Lock()
	defer a.work.Unlock()
	f()
}

// count returns the status with what the workers have counted. ok is false when the master has
// ended.
func (a *acceptor) count() (s status.Status, ok bool) {
	ctx, cancel := context.WithTimeout(a.ctx, countTimeout)
	defer cancel()
	s = a.master.Count(ctx)
	return s, s.PID != 0
}

// admit serves a client on a goroutine of its own, or says that there are too many. It waits for busyPause before it says
// that, so that refusals take little time of the master, however many there are.
func (a *acceptor) admit(c *net.UnixConn) {
	select {
	case a.clients <- struct{}{}:
	case <-time.After(busyPause):
		refuse(c, control.Busy, fmt.Errorf("%d clients are connected", maxClients))
		return
	}
	a.all.Add(1)
	go func() {
		defer func() { <-a.clients; a.all.Done() }()
		defer context.AfterFunc(a.ctx, func() { _ = c.SetDeadline(time.Now().Add(endTimeout)) })()
		defer c.Close()
		who, err := peer(c)
		if err != nil {
			refuse(c, control.Denied, err)
			return
		}
		(&client{acceptor: a, conn: c, ctx: status.By(context.Background(), who)}).serve()
	}()
}

// refuse answers a client that isn't served, and closes c. It doesn't block: nothing was
// written before.
func refuse(c *net.UnixConn, code control.Code, why error) {
	_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, _ = c.Write(control.Encode(control.Reply{Result: &control.Result{Code: code, Error: why.Error()}}))
	_ = c.Close()
}

// ErrDenied means that a client is neither root nor the master's user.
var ErrDenied = errors.New("only root and the master's user may control it")

// mayControl reports whether a process with this uid may control the master.
func mayControl(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }
