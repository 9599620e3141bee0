//go:build linux

package limits

import (
	"os"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

func TestMain(m *testing.M) {
	os.Exit(e2etest.Main(m, rota.Setup, map[string]func(){
		"serve": server.Serve, "version": server.Version, "many": many, "bare": bare, "idle": idle,
	}))
}
