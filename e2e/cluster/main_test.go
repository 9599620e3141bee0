//go:build linux

package cluster

import (
	"os"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

func TestMain(m *testing.M) {
	os.Exit(e2etest.Main(m, rota.Setup, map[string]func(){
		"serve":      server.Serve,
		"version":    server.Version,
		"echo":       echoMessages,
		"announcer":  announcer,
		"silent":     silent,
		"echo-late":  echoLate,
		"flood":      flood,
		"last-words": lastWords,
		"hand-over":  handOver,
		"take-over":  takeOver,
		"give-all":   giveAll,
		"say-who":    sayWho,
		"drain":      drainFor,
		"chatter":    chatter,
		"deaf":       deaf,
		"few-files":  fewFiles,
	}))
}
