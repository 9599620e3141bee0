//go:build linux

package socket

import (
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/worker"
)

// slotPort is server.Serve with a port of its own for each slot, above that of the flags.
func slotPort() {
	base, err := strconv.Atoi(os.Getenv(e2etest.FlagsEnv))
	if err != nil {
		log.Fatal(err)
	}
	main := server.MustListen()
	own, err := rota.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+worker.Self().Slot())))
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(own, http.HandlerFunc(server.Answer))
	log.Fatal(http.Serve(main, http.HandlerFunc(server.Answer)))
}

// A port for each slot reaches that slot's worker, through reloads and without a failure.
func TestPortForEachSlot(t *testing.T) {
	t.Parallel()
	base, err := strconv.Atoi(e2etest.FreePort(t))
	e2etest.NoError(t, err)
	p := e2etest.Start(t, "slot-port", server.Quick(2), e2etest.FlagsEnv+"="+strconv.Itoa(base))
	ask := func(slot int) string {
		body, err := e2etest.Request("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+slot)), "/")
		if err != nil {
			t.Errorf("slot %d: %v", slot, err)
		}
		return body
	}
	for generation := 1; generation <= 3; generation++ {
		first, second := ask(0), ask(1)
		if want := "generation " + strconv.Itoa(generation) + " "; !strings.HasPrefix(first, want) || !strings.HasPrefix(second, want) || first == second {
			t.Errorf("generation %d: %q and %q answer", generation, first, second)
		}
		p.Reload()
		p.WaitChildren(2)
	}
}
