package keeper

import (
	"crypto/rand"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/sdnotify"
)

func TestEnding(t *testing.T) {
	for name, c := range map[string]struct {
		ending
		final bool
	}{
		"as asked":                     {ending{served: true}, true},
		"first start fails":            {ending{status: 3, stopping: true}, true},
		"killed before it was ready":   {ending{status: 137, killed: true}, true},
		"killed":                       {ending{status: 137, killed: true, served: true}, false},
		"nobody knows how":             {ending{killed: true, served: true}, false},
		"panic":                        {ending{status: 2, served: true}, false},
		"start after a crash fails":    {ending{status: 3, stopping: true, served: true}, false},
		"killed in a stop":             {ending{status: 137, killed: true, stopping: true, served: true}, true},
		"fails in a stop of the user":  {ending{status: 1, asked: true, served: true}, true},
		"killed in a stop of the user": {ending{status: 137, killed: true, asked: true, served: true}, true},
	} {
		if c.isFinal() != c.final {
			t.Errorf("%s: final is %v", name, !c.final)
		}
	}
	if e := endingOf(unix.WaitStatus(9)); e.status != 137 || !e.killed {
		t.Errorf("SIGKILL is %+v", e)
	}
	if e := endingOf(unix.WaitStatus(3 << 8)); e.status != 3 || e.killed {
		t.Errorf("exit 3 is %+v", e)
	}
}

func TestPause(t *testing.T) {
	for crashes, want := range map[int]time.Duration{0: 0, 1: 0, 2: 100 * time.Millisecond, 3: 150 * time.Millisecond, 4: 225 * time.Millisecond, 50: maxPause, 1 << 40: maxPause} {
		if got := pause(crashes); got != want {
			t.Errorf("after %d crashes %v, want %v", crashes, got, want)
		}
	}
}

func TestMessage(t *testing.T) {
	m := parse([]byte("READY=1\nSTATUS=generation 1: MAINPID=3\nMAINPID=7\nFDNAME=x\n"), nil)
	if !m.says("READY=1") || m.says("READY") || m.value("FDNAME") != "x" || m.value("FD") != "" || m.mainPID() != 7 {
		t.Errorf("read as %+v", m)
	}
	if got := m.forOthers(); got != "READY=1\nSTATUS=generation 1: MAINPID=3" {
		t.Errorf("others are told %q", got)
	}
	for _, text := range []string{"", "MAINPID=", "MAINPID=1", "MAINPID=0", "MAINPID=-7", "MAINPID=x"} {
		if m := parse([]byte(text), nil); m.mainPID() != 0 || m.forOthers() != "" {
			t.Errorf("%q: pid %d, others are told %q", text, m.mainPID(), m.forOthers())
		}
	}
}

// memory returns a descriptor of a file of its own.
func memory(t *testing.T) int {
	t.Helper()
	n, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func isOpen(n int) bool {
	_, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0)
	return err == nil
}

// What is sent is kept or closed, and what is removed is closed.
func TestStore(t *testing.T) {
	var s store
	defer s.close()
	a, b, c := memory(t), memory(t), memory(t)
	again, err := unix.FcntlInt(uintptr(a), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	say := func(text string, files ...int) { s.obey(message{lines: strings.Split(text, "\n"), files: files}) }
	say("FDSTORE=1\nFDNAME=rota.a\nFDPOLL=0", a)
	say("FDSTORE=1\nFDNAME=bad:name", b)
	say("FDSTORE=1\nFDNAME=other", again)
	say("READY=1", c)
	if want := []kept{{"rota.a", a}, {"stored", b}}; !slices.Equal(s.all, want) || !isOpen(a) || !isOpen(b) || isOpen(again) || isOpen(c) {
		t.Fatalf("kept %v, want %v", s.all, want)
	}
	say("FDSTOREREMOVE=1\nFDNAME=rota.a")
	say("FDSTOREREMOVE=1\nFDNAME=other")
	if want := []kept{{"stored", b}}; !slices.Equal(s.all, want) || isOpen(a) {
		t.Fatalf("kept %v, want %v", s.all, want)
	}
	for range maxKept - 1 {
		s.all = append(s.all, kept{"x", -1})
	}
	full := memory(t)
	say("FDSTORE=1\nFDNAME=full", full)
	if len(s.all) != maxKept || isOpen(full) {
		t.Errorf("%d are kept", len(s.all))
	}
	s.all = s.all[:1]
}

// A master that is killed before it was ready has left the pipe of its leases, and the start has failed all the same. One that
// has left a record was ready.
func TestKilledBeforeItWasReady(t *testing.T) {
	for name, final := range map[string]bool{"rota.lease.f.1": true, "rota.record.1": false} {
		pid, _ := sleeper(t)
		k := newKeeper(t, pid)
		k.served, k.main.ready = false, time.Time{}
		k.obey(message{pid: pid, lines: []string{"FDSTORE=1", "FDNAME=" + name}, files: []int{memory(t)}})
		_ = k.kill(syscall.SIGKILL)
		waitUntil(t, name, k.isEnding)
		k.reap()
		if k.over != final || final && k.status != 137 {
			t.Errorf("%s is left: final is %v, status %d", name, k.over, k.status)
		}
		k.store.close()
	}
}

// newKeeper returns one whose master is process pid, which is ready.
func newKeeper(t *testing.T, pid int) *keeper {
	t.Setenv("NOTIFY_SOCKET", "")
	k := &keeper{Options: Options{Log: slog.New(slog.DiscardHandler)}, calls: make(chan func(), 16)}
	inbox, err := openInbox("@rota.test." + rand.Text())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(inbox.close)
	k.inbox, k.outer = inbox, sdnotify.New(k.Log)
	k.main = mainProcess{pid: pid, ready: time.Now()}
	k.served = true
	return k
}

func (k *keeper) hears(pid int, lines ...string) { k.obey(message{pid: pid, lines: lines}) }

// sleeper starts a process that does nothing.
func sleeper(t *testing.T) (pid int, end func()) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(end)
	return cmd.Process.Pid, end
}

// Only the main process is believed, and the one before it when it says that it is the main one again.
func TestFollow(t *testing.T) {
	first, _ := sleeper(t)
	second, _ := sleeper(t)
	k := newKeeper(t, first)
	k.hears(second, "MAINPID="+strconv.Itoa(second), "STOPPING=1")
	if k.main.pid != first || k.main.stopping {
		t.Fatalf("a stranger is believed: %+v", k.main)
	}
	k.hears(first, "MAINPID="+strconv.Itoa(second))
	k.hears(first, "STOPPING=1")
	if k.main.pid != second || k.main.stopping || k.before != first {
		t.Fatalf("the main process is %+v", k.main)
	}
	k.hears(first, "MAINPID="+strconv.Itoa(first))
	k.hears(second, "STOPPING=1")
	if k.main.pid != first || k.main.stopping || k.before != 0 {
		t.Fatalf("the main process is %+v", k.main)
	}
	k.hears(0, "STOPPING=1")
	k.main = mainProcess{}
	k.hears(0, "STOPPING=1")
	if k.main.stopping {
		t.Error("nobody is believed")
	}
}

// newLost returns a keeper whose master has named another process as the main one, which has ended.
func newLost(t *testing.T) (k *keeper, first, second int) {
	first, _ = sleeper(t)
	second, end := sleeper(t)
	k = newKeeper(t, first)
	k.hears(first, "MAINPID="+strconv.Itoa(second))
	end()
	return k, first, second
}

// The end of a main process that is the child of the one before is noticed. The one before may
// take its place.
func TestLost(t *testing.T) {
	k, first, second := newLost(t)
	call(t, k) // the pidfd
	if k.main.pid != second || k.crashes != 0 {
		t.Fatalf("the one before was not waited for: %+v", k.main)
	}
	call(t, k)
	if k.main.pid != 0 || k.crashes != 1 {
		t.Errorf("the main process is %+v after %d crashes", k.main, k.crashes)
	}
	k = newKeeper(t, first)
	k.hears(first, "MAINPID="+strconv.Itoa(second)) // has ended
	k.hears(first, "MAINPID="+strconv.Itoa(first))
	call(t, k)
	if k.main.pid != first || k.crashes != 0 {
		t.Errorf("the main process is %+v after %d crashes", k.main, k.crashes)
	}
}

// A master that takes its place back when another was started for it already is stopped: two would serve, and one without a keeper.
func TestTakesBackLate(t *testing.T) {
	k, first, _ := newLost(t)
	call(t, k) // the pidfd
	call(t, k) // nobody has taken back
	third, _ := sleeper(t)
	k.main = mainProcess{pid: third, ready: time.Now()}
	k.hears(first, "STATUS=of an old master")
	k.hears(first, "MAINPID="+strconv.Itoa(first))
	if k.main.pid != third {
		t.Errorf("the main process is %+v", k.main)
	}
	waitUntil(t, "the late one to end", func() bool { return isDead(first) })
}

// If the main process dies in an upgrade the new master takes over, and the keeper starts another only if that one has died too, or
// the upgrade had ended.
func TestDiesInUpgrade(t *testing.T) {
	for name, want := range map[string]bool{"goes on": true, "has taken over": true, "has died too": false, "upgrade has ended": false} {
		first, _ := sleeper(t)
		second, end := sleeper(t)
		k := newKeeper(t, first)
		k.main.shares = true
		k.hears(first, sdnotify.Next+"="+strconv.Itoa(second))
		early := memory(t)
		k.obey(message{pid: second, lines: []string{"FDSTORE=1", "FDNAME=early"}, files: []int{early}})
		switch name {
		case "has taken over":
			k.hears(second, "READY=1")
		case "has died too":
			end()
		case "upgrade has ended":
			k.hears(first, sdnotify.Next+"=0")
		}
		k.kill(syscall.SIGKILL)
		waitUntil(t, name, k.isEnding)
		k.reap()
		if got := k.main.pid == second; got != want {
			t.Errorf("%s: the main process is %+v", name, k.main)
		}
		if want && (k.crashes > 0 || !k.main.shares || k.main.ready.IsZero() != (name == "goes on")) {
			t.Errorf("%s: %+v, %d crashes", name, k.main, k.crashes)
		}
		if kept := len(k.store.all) == 1; kept != want || isOpen(early) != want {
			t.Errorf("%s: what the new master had kept: %v, open %v", name, k.store.all, isOpen(early))
		}
		k.store.close()
	}
}

// All masters of a keeper are in the process group of the first: also one that takes its place back.
// Else Ctrl-C would reach it twice.
func TestFollowShares(t *testing.T) {
	first, _ := sleeper(t)
	second, _ := sleeper(t)
	k := newKeeper(t, first)
	k.main.shares = true
	for _, pid := range []int{second, first} {
		k.hears(first, "MAINPID="+strconv.Itoa(pid))
		if k.main.pid != pid || !k.main.shares {
			t.Errorf("the main process is %+v", k.main)
		}
	}
}

// TERM that comes when the new master of an upgrade has been named stops the old one, if the new one withdraws
// or has died.
func TestStopOfAFailedUpgrade(t *testing.T) {
	for name, dies := range map[string]bool{"withdraws": false, "has died": true} {
		first, _ := sleeper(t)
		second, _ := sleeper(t)
		k := newKeeper(t, first)
		k.hears(first, "MAINPID="+strconv.Itoa(second))
		if dies {
			k.kill(syscall.SIGKILL)
			waitUntil(t, name, k.isEnding)
		}
		k.stop(syscall.SIGTERM)
		k.hears(first, "MAINPID="+strconv.Itoa(first))
		waitUntil(t, name+": the old master to end", k.isEnding)
		k.reap()
		if !k.over {
			t.Errorf("%s: the main process is %+v", name, k.main)
		}
	}
}

// Any other signal then reaches the old one too, if the new one withdraws.
func TestSignalInAFailedUpgrade(t *testing.T) {
	first, _ := sleeper(t)
	second, _ := sleeper(t)
	k := newKeeper(t, first)
	k.hears(first, "MAINPID="+strconv.Itoa(second))
	k.pass(syscall.SIGHUP)
	k.hears(first, "MAINPID="+strconv.Itoa(first))
	waitUntil(t, "the signal ends the old master, which is none", k.isEnding)
}

// One that comes when the new master has died waits for the master that serves next: the old one, if it takes its place back, or
// else another. The old one may have waited for the dead already.
func TestSignalWhenTheNewMasterHasDied(t *testing.T) {
	for name, c := range map[string]struct{ waitedFor, takesBack bool }{
		"takes back": {false, true}, "takes back, waited for": {true, true}, "waited for": {true, false},
	} {
		first, _ := sleeper(t)
		second, end := sleeper(t)
		k := newKeeper(t, first)
		k.hears(first, "MAINPID="+strconv.Itoa(second))
		k.kill(syscall.SIGKILL)
		waitUntil(t, name, k.isEnding)
		if c.waitedFor {
			end()
		}
		k.pass(syscall.SIGHUP)
		if c.takesBack {
			k.hears(first, "MAINPID="+strconv.Itoa(first))
			waitUntil(t, name+": the signal ends the old master, which is none", k.isEnding)
		} else if want := []syscall.Signal{syscall.SIGHUP}; !slices.Equal(k.held, want) {
			t.Errorf("%s: held %v, want %v", name, k.held, want)
		}
	}
}

// A signal reaches the process that is the main one when it comes, though that has not been read yet.
func TestSignalAfterMessage(t *testing.T) {
	pid, _ := sleeper(t)
	k := newKeeper(t, pid)
	k.main.pid = os.Getpid()
	addr := k.inbox.conn.LocalAddr().(*net.UnixAddr)
	conn, err := net.DialUnix("unixgram", nil, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("MAINPID=" + strconv.Itoa(pid))); err != nil {
		t.Fatal(err)
	}
	k.signal(syscall.SIGUSR2)
	if k.main.pid != pid {
		t.Errorf("the main process is %d, want %d", k.main.pid, pid)
	}
	waitUntil(t, "the signal ends the new master, which is none", k.isEnding)
}

func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("waited 10s for: %s", what)
		}
	}
}

func call(t *testing.T, k *keeper) {
	t.Helper()
	select {
	case f := <-k.calls:
		f()
	case <-time.After(10 * time.Second):
		t.Fatal("nothing has happened")
	}
}

// A signal to a master that is dead, but not yet waited for, waits too, and a second one that ends is one to hurry.
func TestSignalsToTheDead(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	k := newKeeper(t, cmd.Process.Pid)
	waitUntil(t, "the process to end", k.isEnding)
	k.pass(syscall.SIGHUP)
	if want := []syscall.Signal{syscall.SIGHUP}; !slices.Equal(k.held, want) {
		t.Errorf("held %v, want %v", k.held, want)
	}
	k.stop(syscall.SIGTERM)
	if !k.asked || k.hurry {
		t.Errorf("asked %v, hurry %v", k.asked, k.hurry)
	}
	k.stop(syscall.SIGTERM)
	if !k.hurry {
		t.Error("the second TERM is lost")
	}
}

// A burst of one signal takes the place of no other.
func TestBurst(t *testing.T) {
	c := make(chan os.Signal) // nobody reads it meanwhile
	watch(c, syscall.SIGUSR1, syscall.SIGUSR2)
	sent := make(chan os.Signal, 1000)
	signal.Notify(sent, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(sent)
	send := func(s syscall.Signal) {
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		<-sent
	}
	for range 200 {
		send(syscall.SIGUSR1)
	}
	send(syscall.SIGUSR2)
	for limit := time.After(10 * time.Second); ; {
		select {
		case s := <-c:
			if s == syscall.SIGUSR2 {
				return
			}
		case <-limit:
			t.Fatal("SIGUSR2 is lost")
		}
	}
}

// Signals wait for a ready master, each once.
func TestHeld(t *testing.T) {
	pid, _ := sleeper(t)
	k := newKeeper(t, pid)
	k.main.ready = time.Time{}
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGHUP} {
		k.pass(s)
	}
	if want := []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1}; !slices.Equal(k.held, want) {
		t.Errorf("held %v, want %v", k.held, want)
	}
	k.hears(pid, "READY=1")
	if k.held != nil || k.main.ready.IsZero() {
		t.Errorf("held %v", k.held)
	}
}
