package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"

	"github.com/rota-go/rota/internal/e2etest"
)

// screen is what a program has written to a terminal since it was last cleared.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Reset()
}

var escapes = regexp.MustCompile(`\x1b(\[[0-9;?<>=$ ]*[a-zA-Z]|[()][A-Z0-9]|[=>78])`)

// words returns the text with spaces where the cursor was moved.
func (s *screen) words() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return escapes.ReplaceAllString(s.text.String(), " ")
}

func (s *screen) shows(t *testing.T, all ...string) {
	t.Helper()
	for _, want := range all {
		e2etest.WaitFor(t, fmt.Sprintf("%q on the terminal", want), func() bool { return strings.Contains(s.words(), want) }, s.words)
	}
}

// On a terminal top shows workers and sockets, draws itself anew when the terminal is resized, and
// ends at q, with the terminal as before.
func TestTop(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	cmd := exec.Command(e2etest.Build(t, "."), "top", "-socket", s.path)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 120, Rows: 30})
	e2etest.NoError(t, err)
	defer tty.Close()
	var out screen
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		for b := make([]byte, 4096); ; {
			n, err := tty.Read(b)
			if _, _ = out.Write(b[:n]); err != nil {
				return // the program has ended
			}
		}
	}()
	before := s.status()
	out.shows(t, fmt.Sprint("master ", s.PID()), "REQ/SEC", "CRASHES", "WAITING", fmt.Sprint(before.Workers[0].PID), fmt.Sprint(before.Workers[1].PID), "serving", "q quits")
	out.clear()
	e2etest.NoError(t, pty.Setsize(tty, &pty.Winsize{Cols: 20, Rows: 4}))
	out.shows(t, "q quits, arrow keys")
	if strings.Contains(out.words(), "WAITING") {
		t.Errorf("20 columns and 4 lines have\n%s", out.words())
	}
	_, err = tty.Write([]byte("q"))
	e2etest.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := e2etest.Await(t, "the end of top", ended); err != nil {
		t.Error(err)
	}
	<-copied
	if !strings.Contains(out.text.String(), "\x1b[?1049l") {
		t.Error("the terminal shows the table on")
	}
}

// Without a terminal top prints one table and ends. Without a master it says so.
func TestTopWithoutTerminal(t *testing.T) {
	s := start(t, nil)
	_, err := e2etest.Request("tcp", s.Addr(), "/")
	e2etest.NoError(t, err)
	out, _ := s.rota(done, "top")
	contains(t, out, fmt.Sprint("master ", s.PID()), "2 of 2 slots served", "tcp "+s.Addr())
	if strings.Count(out, "SLOT") != 1 || strings.Contains(out, "\x1b") {
		t.Errorf("it prints\n%q", out)
	}
	s.rota(done, "stop")
	e2etest.WaitFor(t, "the end", func() bool { return !e2etest.Alive(s.PID()) })
	s.rota(noMaster, "top")
	s.rota(usage, "top", "x")
}

// tmux is a terminal whose screen can be read: what an operator sees, line by line, while workers and
// the master are replaced.
func TestTopInTmux(t *testing.T) {
	t.Parallel()
	tmux, err := exec.LookPath("tmux")
	if err != nil {
		t.Skip("no tmux(1)")
	}
	s := start(t, nil)
	server := e2etest.ShortDir(t) + "/tmux"
	do := func(args ...string) string {
		out, err := exec.Command(tmux, append([]string{"-S", server, "-f", "/dev/null"}, args...)...).CombinedOutput()
		if err != nil && args[0] != "kill-server" {
			t.Errorf("tmux %v: %v %s", args, err, out)
		}
		return string(out)
	}
	do("new-session", "-d", "-x", "120", "-y", "30", e2etest.Build(t, ".")+" top -socket "+s.path+"; echo it ended with $?; sleep 60")
	defer do("kill-server")
	line := func(want *regexp.Regexp) {
		t.Helper()
		e2etest.WaitFor(t, fmt.Sprint("a line ", want), func() bool { return want.MatchString(do("capture-pane", "-p")) }, func() string { return do("capture-pane", "-p") })
	}
	w := s.status().Workers[1]
	line(regexp.MustCompile(fmt.Sprintf(`(?m)^1 +%d +%d +1 +serving +\d+s +0 +0 +0\.0 +0\.0 +0 +0 +- +-$`, w.ID, w.PID)))
	line(regexp.MustCompile(`(?m)^tcp ` + regexp.QuoteMeta(s.Addr()) + ` +2 +0 of \d+$`))
	for range 3 { // the sum is counted on, without a change
		_, err := e2etest.Request("tcp", s.Addr(), "/")
		e2etest.NoError(t, err)
	}
	line(regexp.MustCompile(`(?m) serving +\d+s +\d +[123] +\d\.\d `))
	for _, change := range []string{"reload", "upgrade"} {
		s.rota(done, change)
		st := s.status()
		for _, w := range st.Workers {
			if !w.IsServing() {
				continue // of before: its process may not have ended yet
			}
			line(regexp.MustCompile(fmt.Sprintf(`(?m)^%d +%d +%d +%d +serving +`, w.Slot, w.ID, w.PID, w.Generation)))
		}
		line(regexp.MustCompile(fmt.Sprintf(`(?m)^master %d: serving, generation %d, 2 of 2 slots served, \d+ connections$`, st.PID, st.Generation)))
	}
	do("resize-window", "-x", "40", "-y", "8")
	line(regexp.MustCompile(`(?m)^q quits, arrow keys scroll: lines 1 to 7`))
	do("send-keys", "End")
	line(regexp.MustCompile(`(?m)^tcp ` + regexp.QuoteMeta(s.Addr())))
	do("send-keys", "q")
	line(regexp.MustCompile(`(?m)^it ended with 0$`))
}
