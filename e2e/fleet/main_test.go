//go:build linux

package fleet

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/health"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

func TestMain(m *testing.M) {
	os.Exit(e2etest.Main(m, rota.Setup, map[string]func(){"serve": serve, "post": post}))
}

// ipEnv is the address of a host, and urlEnv what post posts to.
const (
	ipEnv  = "ROTA_E2E_IP"
	urlEnv = "ROTA_E2E_URL"
)

// serve is the server of a host.
func serve() {
	ip := os.Getenv(ipEnv)
	rota.OnMaster(health.Serve(health.Config{HTTP: ip + ":8081", Agent: ip + ":8082"}))
	server.Behave()
	ln, err := rota.Listen("tcp", ip+":8080")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(server.Answer)))
}

// post posts from this host, as an operator does.
func post() {
	c := http.Client{Timeout: 5 * time.Second}
	r, err := c.Post(os.Getenv(urlEnv), "", nil)
	if err != nil || r.StatusCode != http.StatusOK {
		log.Fatal(r, err)
	}
	fmt.Println("posted")
}
