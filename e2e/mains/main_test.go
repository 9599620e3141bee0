//go:build linux

package mains

import (
	"os"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

func TestMain(m *testing.M) {
	os.Exit(e2etest.Main(m, setup, map[string]func(){
		"two servers":    twoServers,
		"NotifyContext":  notifyContext,
		"Shutdown":       shutdown,
		"errgroup":       group,
		"subcommand":     subcommand,
		"init Listen":    serveEarly,
		"umask":          umask,
		"rotahttp":       rotahttpInGoroutine,
		"lock":           lock,
		"metrics":        metrics,
		"cache":          cache,
		"cron":           cron,
		"own everything": changeEverything,
		"clean up":       cleanUp,
		"OnMaster":       onMaster,
		"own master":     ownMaster,
		"serve":          server.Serve,
		"exclusive":      exclusive,
		"listen":         server.Listen,
		"ignore":         ignoreSignals,
		"slow main":      slowMain,
		"slow HUP":       slowHUP,
	}))
}
