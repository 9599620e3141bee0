package listentest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The variable that makes the test binary a helper process, and how it is to end.
const helperVariable = "LISTENTEST_HELPER"

func TestMain(m *testing.M) {
	if role := os.Getenv(helperVariable); role != "" {
		os.Exit(helper(role))
	}
	goleak.VerifyTestMain(m)
}

// Whatever plain net does is right: these fail where a case is wrong.

func TestListen(t *testing.T) { Run(t, net.Listen) }

func TestListenPacket(t *testing.T) { RunPacket(t, net.ListenPacket) }

// helper is a process without a *testing.T.
func helper(role string) int {
	s := Suite{Listen: net.Listen, ListenPacket: net.ListenPacket}
	if role == "broken" {
		s.Listen = func(string, string) (net.Listener, error) { return nil, fmt.Errorf("out of order") }
	}
	status := Main(os.Stdout, s.Run)
	if err := goleak.Find(); err != nil {
		fmt.Println(err)
		status = 2
	}
	return status
}

func runHelper(t *testing.T, role string) (status int, output string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperVariable+"="+role)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func TestHelperProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the suite once more: run without -short")
	}
	status, output := runHelper(t, "sound")
	m := regexp.MustCompile(`(?m)^PASS: (\d+) passed, 0 failed, \d+ skipped$`).FindStringSubmatch(output)
	if status != 0 || m == nil {
		t.Fatalf("status %d, output:\n%s", status, output)
	}
	if passed, _ := strconv.Atoi(m[1]); passed < 100 {
		t.Errorf("only %d passed:\n%s", passed, output)
	}
}

func TestHelperProcessFails(t *testing.T) {
	status, output := runHelper(t, "broken")
	if status != 1 || !strings.Contains(output, "out of order") {
		t.Fatalf("status %d, output:\n%s", status, output)
	}
}

func TestPatternsMustMatch(t *testing.T) {
	for _, s := range []Suite{
		{Listen: net.Listen, Only: "tcp/NoSuchCase"},
		{Listen: net.Listen, Only: "errors/NoNetwork", Skip: map[string]string{"udp/*": "another suite"}},
	} {
		if status, output := run(s.Run); status != 1 || !strings.Contains(output, "matches no case") {
			t.Errorf("status %d, output:\n%s", status, output)
		}
	}
}

func TestSkip(t *testing.T) {
	s := Suite{Listen: net.Listen, Only: "errors/No*", Skip: map[string]string{"*/NoNetwork": "a reason"}}
	status, output := run(s.Run)
	if status != 0 || !strings.Contains(output, "a reason") || !strings.Contains(output, "PASS: 1 passed, 0 failed, 1 skipped") {
		t.Errorf("status %d, output:\n%s", status, output)
	}
}

// A second run leaves no more descriptors behind than a first one.
func TestNoDescriptorLeaks(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the suite twice more: run without -short")
	}
	if runtime.GOOS != "linux" {
		t.Skip("/proc/self/fd is Linux's")
	}
	suite := Suite{Listen: net.Listen, ListenPacket: net.ListenPacket}
	run(suite.Run)
	before := descriptors(t)
	run(suite.Run)
	for end := time.Now().Add(10 * time.Second); descriptors(t) > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d descriptors are open, %d before", descriptors(t), before)
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
