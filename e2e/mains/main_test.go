//go:build linux

package mains

import (
	"os"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

func TestMain(m *testing.M) {
	os.Exit(e2etest.Main(m, rota.Setup, map[string]func(){
		"two servers":    twoServers,
		"NotifyContext":  notifyContext,
		"Shutdown":       shutdown,
		"rotahttp":       rotahttpInGoroutine,
		"lock":           lock,
		"metrics":        metrics,
		"cron":           cron,
		"own everything": changeEverything,
		"clean up":       cleanUp,
		"OnMaster":       onMaster,
		"own master":     ownMaster,
		"serve":          server.Serve,
		"exclusive":      exclusive,
		"listen":         server.Listen,
		"ignore":         ignoreSignals,
	}))
}
