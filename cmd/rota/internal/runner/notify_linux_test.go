package runner

import (
	"fmt"
	"os"
	"testing"

	"github.com/rota-go/rota/cmd/rota/internal/launch"
)

func TestMain(m *testing.M) {
	if err := launch.Exec(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// When a program has ended, or could not be started, its socket is removed: the process may exit
// right after that.
func TestNotifySocketIsRemoved(t *testing.T) {
	for _, command := range []string{"true", "/no/such/program"} {
		t.Setenv("TMPDIR", t.TempDir())
		n, err := listenNotify()
		if err != nil {
			t.Fatal(err)
		}
		p, started := &program{notify: n, ended: make(chan struct{})}, make(chan error, 1)
		go p.run(&launch.Program{Command: []string{command}, Env: os.Environ()}, started)
		if <-started == nil {
			<-p.ended
		}
		if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v, %v", command, left, err)
		}
	}
}
