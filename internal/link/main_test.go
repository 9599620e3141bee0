package link

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// helperEnv makes the test binary one of the helpers instead of a test.
const helperEnv = "ROTA_CONTROL_TEST_HELPER"

// helpers are the processes that tests start. Each returns its exit status.
var helpers = map[string]func() int{}

func TestMain(m *testing.M) {
	name := os.Getenv(helperEnv)
	if name == "" {
		goleak.VerifyTestMain(m)
		return
	}
	helper := helpers[name]
	if helper == nil {
		fmt.Fprintf(os.Stderr, "no helper %q\n", name)
		os.Exit(2)
	}
	os.Exit(helper())
}

// helperCommand returns a command that runs the test binary as a helper. Descriptor 3+i is files[i].
func helperCommand(t testing.TB, name string, files ...*os.File) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), helperEnv+"="+name, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = files
	return cmd
}
