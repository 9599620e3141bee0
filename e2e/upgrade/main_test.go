//go:build linux

package upgrade

import (
	"os"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

func TestMain(m *testing.M) {
	os.Exit(e2etest.Main(m, rota.Setup, map[string]func(){
		"healthy":      healthy,
		"lead":         lead,
		"serve":        server.Serve,
		"version":      server.Version,
		"listen":       server.Listen,
		"two-ports":    server.TwoPorts,
		"unix-version": unixVersion,
		"opens-late":   opensLate,
		"opens-both":   opensBoth,
		"opens-first":  opensFirst,
	}))
}
