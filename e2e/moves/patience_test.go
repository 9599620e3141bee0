//go:build linux

package moves

import (
	"io"
	"log"
	"net/http"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// Of the program patient.
const (
	headerTimeout = 300 * time.Millisecond
	idleTimeout   = 3 * time.Second
)

// patient is server.Serve, and waits longer for a request than for its head.
func patient() {
	s := http.Server{Handler: http.HandlerFunc(server.Answer), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout}
	log.Fatal(s.Serve(server.MustListen()))
}

// A connection that has moved is closed when it has been idle for the time of the server, and no
// sooner: what the server gives a request's head doesn't count for one that waits for a request.
func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "patient", server.Quick(1))
	all := newCrowd(t, p.Addr(), 2)
	all.ask(t)
	asked := time.Now()
	p.Reload()
	time.Sleep(2 * headerTimeout)
	(&crowd{all.conns[:1]}).ask(t)
	p.Reload()
	idle := all.conns[1]
	e2etest.NoError(t, idle.SetReadDeadline(time.Now().Add(e2etest.Stuck)))
	if _, err := idle.R.ReadByte(); err != io.EOF {
		t.Errorf("the connection ends with %v, want EOF", err)
	}
	if took := time.Since(asked); took < idleTimeout-headerTimeout {
		t.Errorf("closed %v after its last request, want %v", took, idleTimeout)
	}
}
