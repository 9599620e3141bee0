//go:build linux

package e2etest

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// Stuck is how long a test waits before it fails. A slow machine makes a test slow and
// doesn't fail it.
const Stuck = 20 * time.Second

// WaitFor waits until ok returns true. If it doesn't in time, the test fails, and what
// more returns is logged.
func WaitFor(t testing.TB, what string, ok func() bool, more ...func() string) {
	t.Helper()
	for deadline := time.Now().Add(Stuck); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			for _, m := range more {
				t.Log(m())
			}
			t.Fatalf("waited %v for %s", Stuck, what)
		}
	}
}

// Await waits until c has a value or is closed, and returns the value.
func Await[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(Stuck):
		t.Fatalf("waited %v for %s", Stuck, what)
	}
	return v
}

// SkipShort skips a test that takes ten seconds or so when -short is set.
func SkipShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes long: run without -short")
	}
}

// NeedRoot skips a test without root, and says why it needs it.
func NeedRoot(t testing.TB, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: " + why)
	}
}

// Long reports whether ROTA_E2E_LONG is set: tests take their time.
func Long() bool { return os.Getenv("ROTA_E2E_LONG") != "" }

// Duration returns full in a long run, and brief otherwise.
func Duration(full, brief time.Duration) time.Duration {
	if Long() {
		return full
	}
	return brief
}

// Times is Duration for a number of repetitions.
func Times(full, brief int) int { return int(Duration(time.Duration(full), time.Duration(brief))) }

// NoError fails the test at once if err isn't nil.
func NoError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// StandStill stops a process, and returns when all its threads have stopped: SIGSTOP takes
// effect some time after kill(2) has returned.
func StandStill(t testing.TB, pid int) {
	t.Helper()
	NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	WaitFor(t, fmt.Sprintf("process %d to stand still", pid), func() bool { return Stopped(pid) })
}
