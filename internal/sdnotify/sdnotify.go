// Package sdnotify tells systemd, or another manager that speaks its protocol, what a
// service does: sd_notify(3).
//
// A [Notifier] sends its datagrams in order, on a goroutine of its own, so that a manager
// that doesn't read never blocks the caller.
package sdnotify

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/rota-go/rota/internal/descriptor"
)

const (
	flushTimeout = time.Second            // how long Flush waits for the manager to read
	closeTimeout = 100 * time.Millisecond // how long Close does: the master's loop calls it
)

// Notifier sends notifications to the manager that NOTIFY_SOCKET names. Without that
// variable its methods do nothing. Send, MainPID and Flush may be called from any
// goroutine, the other methods from the one that owns the Notifier.
type Notifier struct {
	log      *slog.Logger
	enabled  bool
	silent   bool          // Silence was called
	watchdog time.Duration // within which the manager wants a WATCHDOG=1; 0: never
	fed      time.Time     // the last WATCHDOG=1
	phase    string        // reported last
	status   string

	mu      sync.Mutex
	queue   []datagram
	closing bool
	wake    chan struct{} // capacity 1
	done    chan struct{} // closed when the goroutine has ended
}

// datagram is one to be sent or, if sent isn't nil, a mark in the queue: sent is closed when
// all before it are sent.
type datagram struct {
	state string
	fd    *descriptor.FD // goes with it, and is closed then; nil: none
	sent  chan struct{}
}

// New returns a Notifier for this process's environment. If there is a manager it starts a
// goroutine, which Close ends. Datagrams that can't be sent are logged.
func New(log *slog.Logger) *Notifier {
	n := &Notifier{log: log, wake: make(chan struct{}, 1), done: make(chan struct{})}
	n.enabled = os.Getenv("NOTIFY_SOCKET") != ""
	if !n.enabled {
		close(n.done)
		return n
	}
	if d, err := daemon.SdWatchdogEnabled(false); err == nil {
		n.watchdog = d
	}
	go n.run()
	return n
}

// Active reports whether this process is to notify a manager.
func (n *Notifier) Active() bool { return n.enabled && !n.silent }

// Silence ends the reports of this process: its successor notifies now. Send still works.
func (n *Notifier) Silence() { n.silent = true }

// Watchdog returns the interval within which the manager wants to be notified, or 0.
func (n *Notifier) Watchdog() time.Duration { return n.watchdog }

// SetWatchdog sets the interval. A successor gets it from its predecessor: the manager's
// variables name the pid of the first process.
func (n *Notifier) SetWatchdog(d time.Duration) { n.watchdog = d }

// Send queues one datagram with the lines.
func (n *Notifier) Send(lines ...string) {
	n.add(datagram{state: strings.Join(lines, "\n")})
}

// SendWith is Send with a descriptor, unless fd is nil. It closes fd.
func (n *Notifier) SendWith(fd *descriptor.FD, lines ...string) {
	if !n.enabled && fd != nil {
		_ = fd.Close() // nothing was written to it
	}
	n.add(datagram{state: strings.Join(lines, "\n"), fd: fd})
}

// Stores reports whether the manager keeps descriptors for this service: systemd says so from
// version 254 on, and otherwise it may be tried.
func (n *Notifier) Stores() bool { return n.Active() && os.Getenv("FDSTORE") != "0" }

// MainPID tells the manager which process is the main one. It has to come from the one that
// is the main process so far: the manager may ignore others.
func (n *Notifier) MainPID(pid int) { n.Send("MAINPID=" + strconv.Itoa(pid)) }

// Next is the variable by which a keeper learns of the new master of an upgrade.
const Next = "X_ROTA_NEXT"

// Next tells a keeper the pid of the new master of an upgrade, or 0 at its end: if this process dies meanwhile, that one
// takes over, and the keeper starts no other.
func (n *Notifier) Next(pid int) { n.Send(Next + "=" + strconv.Itoa(pid)) }

// Reloading says that a reload has begun. It must be called for every reload, however
// short: "systemctl reload" waits for it, with a timestamp later than that of its signal.
func (n *Notifier) Reloading() {
	if !n.Active() {
		return
	}
	n.phase = daemon.SdNotifyReloading
	n.Send(n.phase, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
}

// Report tells the manager what has changed since the last report.
func (n *Notifier) Report(s Status) { n.report(s.service(), s.String()) }

// report sends the phase, if it isn't empty, and the status line, if they have changed since
// the last report.
func (n *Notifier) report(phase, status string) {
	if !n.Active() {
		return
	}
	status = "STATUS=" + status
	switch {
	case phase != n.phase && phase != "":
		n.Send(phase, status)
		n.phase = phase
	case status != n.status:
		n.Send(status)
	}
	n.status = status
}

// Feed notifies the watchdog if half of its interval has passed since the last time. It
// returns how long from now Feed must be called again, or 0 if it has sent nothing.
func (n *Notifier) Feed() (again time.Duration) {
	every := n.watchdog / 2
	if !n.Active() || every <= 0 || time.Since(n.fed) < every {
		return 0
	}
	n.fed = time.Now()
	n.Send(daemon.SdNotifyWatchdog)
	return every
}

// ErrNotRead says that the manager has no room for what it is told, as it reads nothing.
var ErrNotRead = errors.New("the service manager reads nothing that it is told")

// Flush waits until all that was queued is sent, for at most a second, and then fails with ErrNotRead.
func (n *Notifier) Flush() error {
	if n.enabled && !wait(n.Sent(), flushTimeout) {
		return ErrNotRead
	}
	return nil
}

// Sent returns a channel that is closed when all that was queued is sent.
func (n *Notifier) Sent() <-chan struct{} {
	sent := make(chan struct{})
	if !n.enabled {
		close(sent)
		return sent
	}
	n.add(datagram{sent: sent})
	return sent
}

// Await returns a function that waits until all that was queued by now is sent, or ctx ends.
func (n *Notifier) Await(ctx context.Context) (wait func()) {
	sent := n.Sent()
	return func() {
		select {
		case <-sent:
		case <-ctx.Done():
		}
	}
}

// Close sends what is queued and ends the goroutine. It waits for that for at most a tenth of
// a second.
func (n *Notifier) Close() {
	n.mu.Lock()
	n.closing = true
	n.signal()
	n.mu.Unlock()
	wait(n.done, closeTimeout)
}

func wait(c <-chan struct{}, timeout time.Duration) (done bool) {
	select {
	case <-c:
		return true
	case <-time.After(timeout):
		return false
	}
}

func (n *Notifier) add(d datagram) {
	if !n.enabled {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queue = append(n.queue, d)
	n.signal()
}

func (n *Notifier) signal() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *Notifier) run() {
	defer close(n.done)
	for range n.wake {
		queue, closing := n.dequeue()
		for _, d := range queue {
			n.send(d)
		}
		if closing {
			return
		}
	}
}

func (n *Notifier) dequeue() (queue []datagram, closing bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	queue, n.queue = n.queue, nil
	return queue, n.closing
}

func (n *Notifier) send(d datagram) {
	if d.sent != nil {
		close(d.sent)
		return
	}
	if err := d.send(); err != nil {
		n.log.Warn("rota: systemd can't be told", "state", d.state, "err", err)
	}
}

func (d datagram) send() error {
	if d.fd != nil {
		defer d.fd.Close()
		return sendWith(d.fd.Int(), d.state)
	}
	_, err := daemon.SdNotify(false, d.state)
	return err
}
