//go:build linux

package upgrade

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/worker"
)

// lead is a server with work that one worker does at a time. It writes to a file, which the
// flags name, when the work begins, every ten milliseconds, and when it ends, which takes the
// time of the flags. A lock on another file shows whether a second worker is at work.
func lead() {
	path, lingers, _ := strings.Cut(os.Getenv(e2etest.FlagsEnv), " ")
	linger, err := time.ParseDuration(lingers)
	must(err)
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	must(err)
	journal, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(err)
	say := func(what string) { fmt.Fprintln(journal, what, os.Getpid(), time.Now().UnixMilli()) }
	work := func(ctx context.Context) error {
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			say("overlap")
		}
		say("begin")
		for ctx.Err() == nil {
			say("work")
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(linger)
		say("end")
		return syscall.Flock(int(lock.Fd()), syscall.LOCK_UN)
	}
	ln := server.MustListen()
	go func() { _ = worker.Self().Lead(context.Background(), "work", work) }()
	log.Fatal(http.Serve(ln, http.HandlerFunc(server.Answer)))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// entry is a line of the journal of lead.
type entry struct {
	what string
	pid  int
	at   time.Time
}

func readJournal(t *testing.T, path string) (all []entry) {
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e entry
		var ms int64
		if n, _ := fmt.Sscan(line, &e.what, &e.pid, &ms); n == 3 && strings.HasSuffix(line, "\n") {
			e.at = time.UnixMilli(ms)
			all = append(all, e)
		}
	}
	return all
}

// leader waits until somebody other than not is at work, and returns its pid.
func leader(t *testing.T, path string, not int) (pid int) {
	t.Helper()
	e2etest.WaitFor(t, "another leader than "+strconv.Itoa(not), func() bool {
		all := readJournal(t, path)
		if n := len(all); n > 0 && all[n-1].what == "work" {
			pid = all[n-1].pid
		}
		return pid != 0 && pid != not
	})
	return pid
}

// checkJournal checks that nobody began before the one before had ended, or was killed, and
// that the work never rested for long. It returns how many have led.
func checkJournal(t *testing.T, path string, killed map[int]bool, rest time.Duration) (leaders int) {
	t.Helper()
	var last entry
	var at int // the leader
	var longest time.Duration
	for _, e := range readJournal(t, path) {
		if !last.at.IsZero() {
			longest = max(longest, e.at.Sub(last.at))
		}
		switch {
		case e.what == "overlap":
			t.Errorf("%d began while another had the lock", e.pid)
		case e.what == "begin":
			leaders++
			if at != 0 && !killed[at] {
				t.Errorf("%d began before %d had ended", e.pid, at)
			}
			at = e.pid
		case e.pid != at:
			t.Errorf("%d is at work, with %q, and the leader is %d", e.pid, e.what, at)
		case e.what == "end":
			at = 0
		}
		last = e
	}
	if longest > rest {
		t.Errorf("nobody was at work for %v", longest)
	}
	t.Logf("%d leaders, the longest rest was %v", leaders, longest)
	return leaders
}

// Through reloads, kills and upgrades there is one leader, and never two: see
// docs/contract.md#lead.
func TestOneLeader(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	cfg := server.Quick(4)
	cfg.Surge = 4
	p := e2etest.Start(t, "lead", cfg, e2etest.FlagsEnv+"="+path+" 20ms")
	killed, now := map[int]bool{}, leader(t, path, 0)
	kill := func() {
		killed[now] = true
		e2etest.Kill(t, now)
		now = leader(t, path, now)
	}
	for i := range 20 {
		p.Reload()
		p.WaitChildren(4)
		now = leader(t, path, now)
		if i%5 == 2 {
			kill()
		}
		if i == 9 || i == 14 {
			p.Upgrade()
			now = leader(t, path, now)
			kill()
		}
	}
	p.Signal(syscall.SIGTERM)
	p.Wait()
	if n := checkJournal(t, path, killed, 3*time.Second); n < 20 {
		t.Errorf("%d leaders, want one for each reload", n)
	}
}

// The new master of an upgrade waits for the leader of the old one, also if the old master is
// killed meanwhile: its workers are nobody's then, and the leader still works.
func TestOneLeaderWhenTheOldMasterIsKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	p := e2etest.Start(t, "lead", server.Quick(2), e2etest.FlagsEnv+"="+path+" 700ms")
	old, first := p.PID(), leader(t, path, 0)
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.TookOver, 1)
	e2etest.Kill(t, old)
	leader(t, path, first)
	p.Signal(syscall.SIGTERM)
	p.Wait()
	if n := checkJournal(t, path, nil, 4*time.Second); n != 2 {
		t.Errorf("%d leaders, want 2", n)
	}
}
