//go:build linux

package operations

import (
	"os"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

func TestMain(m *testing.M) {
	os.Exit(e2etest.Main(m, rota.Setup, map[string]func(){
		"serve":     server.Serve,
		"version":   server.Version,
		"listen":    server.Listen,
		"two-ports": server.TwoPorts,
		"operated":  operated,
		"judged":    judged,
		"observed":  observed,
		"late":      late,
		"brief":     brief,
		"init":      initProcess,
		"shares":    shares,
	}))
}
