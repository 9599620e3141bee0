//go:build linux

package socket

import (
	"os"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// tests are those of this package, for the helper that runs one of them.
var tests *testing.M

func TestMain(m *testing.M) {
	tests = m
	os.Exit(e2etest.Main(m, rota.Setup, map[string]func(){
		"serve":            server.Serve,
		"lab":              lab,
		"conform":          conform,
		"tls":              tlsServer,
		"slot-port":        slotPort,
		"passive":          passive,
		"by-file":          byFile,
		"accept-tcp":       acceptTCP,
		"broker":           broker,
		"handle":           handle,
		"after-disconnect": afterDisconnect,
		"master-gone":      masterGone,
		"udp-polls":        udpPolls,
		"udp-slow":         udpSlow,
		"udp-apart":        udpApart,
		"udp-batch":        udpBatch,
		"udp-deadline":     udpDeadline,
		"allow":            allow,
	}))
}
