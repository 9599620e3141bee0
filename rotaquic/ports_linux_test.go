//go:build linux

package rotaquic

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/quic-go/quic-go"

	"github.com/rota-go/rota/internal/e2etest"
)

// servePorts is two servers without HTTP, each at a port that the kernel chooses, which it writes to a file.
func servePorts() {
	var servers sync.WaitGroup
	for i := range 2 {
		ln, err := Listen("127.0.0.1:0", certificate(), &quic.Config{MaxIdleTimeout: e2etest.Stuck, DisablePathMTUDiscovery: true})
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Getenv(e2etest.FlagsEnv), fmt.Sprint(i)), []byte(ln.Addr().String()), 0o600)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		servers.Go(func() { acceptAll(ln) })
	}
	servers.Wait()
}

// acceptAll is what an echo server does with a listener.
func acceptAll(ln *Listener) {
	for {
		c, err := ln.Accept(context.Background())
		if err != nil {
			return
		}
		go echo(c)
	}
}

// Two listeners of a worker at ports that the kernel chooses don't get each other's connections.
func TestTwoPorts(t *testing.T) {
	dir := t.TempDir()
	p := e2etest.Start(t, "ports", configOf(2), e2etest.FlagsEnv+"="+dir)
	p.WaitLog(e2etest.WorkerReady, 2)
	for i := range 2 {
		addr, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			c := dial(t, string(addr))
			if err := echoes(c, "hello"); err != nil {
				t.Errorf("port %d: %v", i, err)
			}
			c.CloseWithError(0, "")
		}
	}
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}
