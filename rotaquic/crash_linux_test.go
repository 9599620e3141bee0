package rotaquic

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
)

// A download goes on while the master is killed, and the workers of the next one answer new clients: the keeper
// has the sockets, the secret and the queues.
func TestDownloadSurvivesCrashOfTheMaster(t *testing.T) {
	addr := e2etest.FreeAddress(t)
	cmd := e2etest.Command(t, "http3", configOf(2), e2etest.FlagsEnv+"="+addr)
	keeper := exec.Command(e2etest.Build(t, "../cmd/rota"), "keep", "--", cmd.Path)
	keeper.Env = cmd.Env
	p := e2etest.Run(t, keeper)
	t.Cleanup(func() { _ = syscall.Kill(keeper.Process.Pid, syscall.SIGTERM); p.Wait() })
	p.WaitLog(e2etest.WorkerReady, 2)
	e2etest.WaitFor(t, "the keeper to have a record", func() bool { return hasRecord(keeper.Process.Pid) })
	resp, err := newClient(t).RoundTrip(newRequest(http.MethodGet, "https://"+addr+"/numbers?count=100000&every=30", nil))
	e2etest.NoError(t, err)
	defer resp.Body.Close()
	ended := make(chan error, 1)
	go func() {
		n, err := io.Copy(io.Discard, resp.Body)
		if n != 800_000 {
			err = fmt.Errorf("%d bytes, %w", n, err)
		}
		ended <- err
	}()
	pid, err := strconv.Atoi(regexp.MustCompile(`rota: master pid=(\d+)`).FindStringSubmatch(p.Log.String())[1])
	e2etest.NoError(t, err)
	e2etest.Kill(t, pid)
	p.WaitLog(e2etest.WorkerReady, 4)
	for range 20 {
		if _, err := get(newClient(t), "https://"+addr+"/numbers?count=1"); err != nil {
			t.Errorf("a new client: %v", err)
		}
	}
	select {
	case err := <-ended:
		t.Fatalf("the download was over before: %v", err)
	default:
	}
	if err := e2etest.Await(t, "the end of the download", ended); err != nil {
		t.Error(err)
	}
}

// hasRecord reports whether a keeper has the record of a master.
func hasRecord(pid int) bool {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, l := range links {
		if target, _ := os.Readlink(l); strings.Contains(target, "rota record") {
			return true
		}
	}
	return false
}
