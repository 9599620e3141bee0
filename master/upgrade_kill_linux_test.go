//go:build linux

package master

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

func TestKillMarked(t *testing.T) {
	marked, other := exec.Command("sleep", "60"), exec.Command("sleep", "60")
	marked.Env = append(os.Environ(), "ROTA_UPGRADE=1.2")
	other.Env = append(os.Environ(), "ROTA_UPGRADE=1.23", "X=ROTA_UPGRADE=1.2")
	for _, cmd := range []*exec.Cmd{marked, other} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	killMarked("1.2")
	if err := marked.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("the marked process: %v, want signal: killed", err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", other.Process.Pid))
	if err != nil || bytes.Contains(status, []byte("State:\tZ")) {
		t.Error("the other process was killed too")
	}
	_ = other.Process.Kill()
	_ = other.Wait()
}
