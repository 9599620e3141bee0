//go:build linux

package successor

import (
	"os"
	"os/exec"
	"testing"
)

func TestKill(t *testing.T) {
	marked, other := exec.Command("sleep", "60"), exec.Command("sleep", "60")
	marked.Env = append(os.Environ(), "ROTA_UPGRADE=1.2")
	other.Env = append(os.Environ(), "ROTA_UPGRADE=1.23", "X=ROTA_UPGRADE=1.2")
	for _, cmd := range []*exec.Cmd{marked, other} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	defer other.Process.Kill()
	kill("1.2")
	if err := marked.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("the marked process: %v, want killed", err)
	}
	_ = other.Process.Signal(os.Interrupt)
	if err := other.Wait(); err == nil || err.Error() != "signal: interrupt" {
		t.Errorf("the other process: %v, want it to live until it is interrupted", err)
	}
}
