//go:build linux

package spread

import (
	"os"
	"strings"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

func TestMain(m *testing.M) {
	os.Exit(e2etest.Main(m, rota.Setup, map[string]func(){
		"serve": server.Serve, "datagrams": datagrams, "slow datagrams": slowDatagrams, "plain": plain, "brief": brief, "reuseport": reusePort, "plain reuseport": plainReusePort,
	}))
}

// each calls f for each Spread, with a configuration of so many workers.
func each(t *testing.T, workers int, f func(t *testing.T, cfg master.Config)) {
	for _, s := range []master.Spread{master.SpreadShared, master.SpreadSlots} {
		t.Run(s.String(), func(t *testing.T) {
			cfg := server.Quick(workers)
			cfg.Spread = s
			f(t, cfg)
		})
	}
}

// workerOf returns which worker has answered.
func workerOf(body string) string { return strings.Fields(body)[3] }
