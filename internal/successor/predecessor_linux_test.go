//go:build linux

package successor

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/link"
)

// helperEnv makes TestFollows the process that reports.
const helperEnv = "ROTA_SUCCESSOR_TEST_HELPER"

// A process follows the master that has started it. One that the new master's program has
// started before package successor was initialised has inherited the same variables and
// descriptors, and follows nobody.
func TestFollows(t *testing.T) {
	if os.Getenv(helperEnv) != "" {
		fmt.Println("follows:", predecessor.dial != nil)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for want, command := range map[string][]string{
		"follows: true":  {exe, "-test.run=TestFollows"},
		"follows: false": {"/bin/sh", "-c", `"$0" -test.run=TestFollows; exit 0`, exe},
	} {
		l, end, err := link.Pair()
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		defer end.Close()
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = append(os.Environ(), helperEnv+"=1", link.EnvUpgrade+"=1", link.EnvTableflip+"=yes")
		cmd.ExtraFiles = []*os.File{end, end, end}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v, %s, want %q", command, err, out, want)
		}
	}
}
