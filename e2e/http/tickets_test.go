//go:build linux

package http

import (
	"crypto/tls"
	"io"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// Clients resume their TLS sessions at every worker, after a reload, and after an upgrade
// of the master.
func TestSessionsAreResumed(t *testing.T) {
	p := e2etest.Start(t, "rotahttp-tls", server.Quick(4), e2etest.FlagsEnv+"="+certificate(t))
	cfg := &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1), ServerName: "e2e"}
	connect := func() bool {
		t.Helper()
		c, err := tls.Dial("tcp", p.Addr(), cfg)
		e2etest.NoError(t, err)
		defer c.Close()
		_, err = io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
		e2etest.NoError(t, err)
		_, err = io.ReadAll(c) // the next ticket comes with the answer
		e2etest.NoError(t, err)
		return c.ConnectionState().DidResume
	}
	if connect() {
		t.Error("the first session was resumed")
	}
	for _, change := range []struct {
		name string
		make func()
	}{{"the start", func() {}}, {"a reload", p.Reload}, {"an upgrade", p.Upgrade}} {
		change.make()
		resumed := 0
		for range 40 {
			if connect() {
				resumed++
			}
		}
		t.Logf("after %s: %d of 40 sessions resumed", change.name, resumed)
		if resumed != 40 {
			t.Errorf("after %s: %d of 40 sessions resumed", change.name, resumed)
		}
	}
}
