//go:build linux

package http

import (
	"os"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
)

func TestMain(m *testing.M) {
	os.Exit(e2etest.Main(m, rota.Setup, map[string]func(){
		"http-line":      httpLine,
		"http-proxy":     httpProxy,
		"rotahttp":       rotaHTTP,
		"rotahttp-proxy": rotaHTTPProxy,
		"rotahttp-tls":   rotaHTTPTLS,
		"rotahttp-h2c":   rotaHTTPh2c,
		"prepared-tls":   preparedTLS,
		"prepared-h2c":   preparedH2C,
		"idle-plain":     idlePlain,
		"idle-line":      idleLine,
		"idle-rotahttp":  idleRotaHTTP,
	}))
}
