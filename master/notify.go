package master

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notifyLinger is how long the end of a master waits for systemd to take the last of
// what it is told.
const notifyLinger = time.Second

// notifier tells systemd what the master does, in order, on a goroutine of its own:
// a manager that doesn't read never holds up the loop. The loop owns the plain fields.
type notifier struct {
	log      *slog.Logger
	enabled  bool
	watchdog time.Duration // how often systemd wants to hear; 0: never
	silent   bool          // another master speaks now
	phase    string        // what was told last
	status   string
	beat     time.Time // last WATCHDOG=1

	mu     sync.Mutex
	queue  []notice
	wake   chan struct{} // capacity 1
	ending bool
	ended  chan struct{}
}

// notice is one datagram, or where sent is not nil a mark in the queue.
type notice struct {
	state string
	sent  chan struct{}
}

func newNotifier(log *slog.Logger) *notifier {
	n := &notifier{log: log, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	n.enabled = os.Getenv("NOTIFY_SOCKET") != ""
	if !n.enabled {
		close(n.ended)
		return n
	}
	if d, err := daemon.SdWatchdogEnabled(false); err == nil {
		n.watchdog = d
	}
	go n.run()
	return n
}

// tell queues one datagram.
func (n *notifier) tell(lines ...string) {
	n.add(notice{state: strings.Join(lines, "\n")})
}

func (n *notifier) add(what notice) {
	if !n.enabled {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queue = append(n.queue, what)
	n.signal()
}

func (n *notifier) signal() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *notifier) run() {
	defer close(n.ended)
	for range n.wake {
		queue, ending := n.take()
		for _, what := range queue {
			n.send(what)
		}
		if ending {
			return
		}
	}
}

func (n *notifier) send(what notice) {
	if what.sent != nil {
		close(what.sent)
		return
	}
	if _, err := daemon.SdNotify(false, what.state); err != nil {
		n.log.Warn("rota: systemd can't be told", "state", what.state, "err", err)
	}
}

func (n *notifier) take() ([]notice, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	queue := n.queue
	n.queue = nil
	return queue, n.ending
}

// flush waits until all that was told is sent, or for notifyLinger. It has no place
// on the loop.
func (n *notifier) flush() {
	if !n.enabled {
		return
	}
	sent := make(chan struct{})
	n.add(notice{sent: sent})
	select {
	case <-sent:
	case <-time.After(notifyLinger):
	}
}

// end sends the rest and ends the goroutine.
func (n *notifier) end() {
	n.mu.Lock()
	n.ending = true
	n.signal()
	n.mu.Unlock()
	select {
	case <-n.ended:
	case <-time.After(notifyLinger):
	}
}

// silence is the end of this master's say: its successor speaks.
func (n *notifier) silence() { n.silent = true }

// reloading has to be told for every reload, however short: "systemctl reload"
// waits for it, with a timestamp later than its signal.
func (n *notifier) reloading() {
	if !n.enabled || n.silent {
		return
	}
	n.phase = "RELOADING=1"
	n.tell(n.phase, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
}

// report tells systemd what has changed since it was last told. It is called after
// each event, and is where the watchdog is fed: by the loop itself, so that a loop
// that hangs is noticed.
func (l *loop) report() {
	n := l.systemd
	if !n.enabled || n.silent || l.takeover != nil || l.pool == nil {
		return
	}
	l.feedWatchdog()
	status := "STATUS=" + l.describe()
	switch phase := l.phase(); {
	case phase != n.phase && phase != "":
		n.tell(phase, status)
		n.phase = phase
	case status != n.status:
		n.tell(status)
	}
	n.status = status
}

// phase is what systemd should take the service for; "": nothing new.
func (l *loop) phase() string {
	switch p := l.pool; {
	case p.goal.Stop:
		return daemon.SdNotifyStopping
	case !p.goal.Established, p.roll != nil && p.roll.err == nil:
		return "" // reloading says so itself
	}
	return daemon.SdNotifyReady
}

// describe is the STATUS line.
func (l *loop) describe() string {
	p := l.pool
	var ready, starting, draining int
	for _, m := range l.members {
		switch {
		case !m.pooled || !m.alive():
		case !m.serving():
			draining++
		case m.Ready.IsZero():
			starting++
		default:
			ready++
		}
	}
	s := fmt.Sprintf("generation %d: %d of %d workers ready", p.goal.Generation, ready, p.goal.Workers)
	s += andCount(starting, "starting") + andCount(draining, "draining")
	switch {
	case p.goal.Stop:
		s += "; stopping"
	case l.upgrade != nil:
		s += "; upgrading the master"
	case p.goal.Next != 0 || p.preparing:
		s += fmt.Sprintf("; reloading to generation %d", l.lastGen)
	case l.failed != nil:
		first, _, _ := strings.Cut(l.failed.Error(), "\n")
		s += "; failed: " + first
	}
	return s
}

func andCount(n int, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d %s", n, what)
}

// feedWatchdog says that the loop is alive, and makes sure that it is asked again.
func (l *loop) feedWatchdog() {
	n := l.systemd
	every := n.watchdog / 2
	if every <= 0 || time.Since(n.beat) < every {
		return
	}
	n.beat = time.Now()
	n.tell(daemon.SdNotifyWatchdog)
	l.after(every, func() { l.dirty = true })
}
