//go:build linux

package migrate

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
)

// TestReload reloads each program under load. No request may fail.
func TestReload(t *testing.T) {
	for _, name := range []string{"tableflip", "overseer", "endless", "prefork", "systemd", "gunicorn"} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(name)
			p := e2etest.StartProgram(t)
			transport := &http.Transport{MaxIdleConnsPerHost: 4}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: e2etest.Stuck}
			e2etest.UnderLoad(p, 4, 2, func() error {
				return post(client, "http://"+p.Addr())
			})
		})
	}
}

// post sends a request that net/http's client does not repeat by itself.
func post(client *http.Client, url string) error {
	resp, err := client.Post(url, "text/plain", strings.NewReader("hello"))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || len(b) == 0 || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s, body %q, error %v", resp.Status, b, err)
	}
	return nil
}
