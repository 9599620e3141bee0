//go:build linux

package mains

import (
	"context"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// exclusive serves a socket that the master doesn't know. Its flags are the address.
func exclusive() {
	ln, err := (&rota.ListenConfig{Exclusive: true}).Listen(context.Background(), "tcp", os.Getenv(e2etest.FlagsEnv))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, handler))
}

// A client that connects while the service stops is answered or refused, never reset: the
// last worker accepts what waits in the queue before it closes it.
func TestStopEmptiesTheQueue(t *testing.T) {
	dir := e2etest.ShortDir(t)
	rows := []struct {
		helper, network, address string
		workers                  int
	}{
		{"Shutdown", "tcp", "", 1}, {"Shutdown", "tcp", "", 3}, {"listen", "unix", filepath.Join(dir, "socket"), 2},
		{"exclusive", "tcp", e2etest.FreeAddress(t), 1},
	}
	for _, row := range rows {
		t.Run(row.helper+" "+row.network, func(t *testing.T) {
			for range e2etest.Times(20, 4) {
				flags := row.address
				if row.helper == "listen" {
					flags = row.network + " " + row.address
				}
				p := e2etest.Start(t, row.helper, server.Quick(row.workers), e2etest.FlagsEnv+"="+flags)
				addr := row.address
				if addr == "" {
					addr = p.Addr()
				}
				mustLoseNothingAtStop(t, p, row.network, addr)
			}
		})
	}
}

// mustLoseNothingAtStop stops p while clients connect for each request.
func mustLoseNothingAtStop(t *testing.T, p *e2etest.Process, network, addr string) {
	t.Helper()
	load := e2etest.NewLoad()
	load.Add(32, func() (string, error) {
		c, err := net.Dial(network, addr)
		if err != nil {
			return "", e2etest.ErrNoRequest // refused, or not there
		}
		defer c.Close()
		return e2etest.RequestOn(c, "/")
	})
	load.Goes(t, 500)
	p.Signal(syscall.SIGTERM)
	p.Wait()
	load.MustBeWhole(t)
}

// After an upgrade the old master's workers leave, and the sockets are the new master's:
// they refuse nobody until that one stops.
func TestUpgradedMasterRefusesNobody(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "cron", server.Quick(2))
	load := e2etest.StartLoad(p.Addr(), "/", 8)
	for range 2 {
		p.Upgrade()
		load.Goes(t, 200)
	}
	load.MustBeWhole(t)
	mustLoseNothingAtStop(t, p, "tcp", p.Addr())
	if strings.Contains(p.Log.String(), string(e2etest.UpgradeFailed)) {
		t.Error("an upgrade has failed")
	}
}
