//go:build unix

package hangup

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// TestMain keeps the signals of the tests, which the hold of this process gets too, from ending it.
func TestMain(m *testing.M) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	os.Exit(m.Run())
}

// environment is a lookup of variables.
func environment(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

// A hold has the signals that come until it ends, and says so once.
func TestHold(t *testing.T) {
	h := begin(environment(nil), false)
	for range 3 {
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); len(h.c) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the hold has not got the signal")
		}
	}
	if first, second := h.end(), h.end(); !first || second {
		t.Errorf("the signal was found %t, and then %t; want true, and false", first, second)
	}
}

// A process that can't become a master, or that ignores the signal, has none.
func TestNoHold(t *testing.T) {
	for name, tc := range map[string]struct {
		vars    map[string]string
		ignored bool
		want    bool
	}{
		"a program":                          {nil, false, true},
		"rota is off":                        {map[string]string{"ROTA": "off"}, false, false},
		"nohup":                              {nil, true, false},
		"a master that was executed":         {map[string]string{EnvMaster: "{}"}, true, true},
		"the same with another mode of rota": {map[string]string{EnvMaster: "{}", "ROTA": "on"}, true, true},
	} {
		h := begin(environment(tc.vars), tc.ignored)
		if got := h.c != nil; got != tc.want {
			t.Errorf("%s: hold %t, want %t", name, got, tc.want)
		}
		h.end()
	}
}
