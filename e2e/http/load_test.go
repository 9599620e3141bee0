//go:build linux

package http

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// Reloads cost no request on connections that are kept, over the listener alone and with
// package rotahttp, with a reverse proxy too.
func TestReloadUnderKeepAliveLoad(t *testing.T) {
	e2etest.SkipShort(t)
	// The upstream answers in one piece. If it answered in several, the proxy of net/http
	// would cut one answer to a POST in some thousands, with net.Listen too: its server
	// closes the body of the request when it begins to answer, and its client then gives up
	// the connection on which the rest of the answer comes.
	upstream := httptest.NewServer(http.HandlerFunc(httpEcho))
	defer upstream.Close()
	for _, helper := range []string{"http-line", "rotahttp", "http-proxy", "rotahttp-proxy"} {
		for _, tc := range []struct {
			name, request string
			loops         int
			pause         time.Duration
		}{
			{"closed loop", e2etest.Get("/"), 16, 0},
			{"pauses", e2etest.Get("/"), 64, 5 * time.Millisecond},
			{"POSTs", e2etest.Post("/echo", 1024), 64, time.Millisecond},
			{"slow handlers", e2etest.Get("/?sleep=100ms"), 16, 0},
		} {
			t.Run(helper+" "+tc.name, func(t *testing.T) {
				p := e2etest.Start(t, helper, server.Quick(1), e2etest.FlagsEnv+"="+upstream.URL)
				l := e2etest.StartKeepAlive(p.Addr(), tc.request, tc.loops, tc.pause)
				l.Goes(t, tc.loops)
				for range httpReloads() {
					p.Reload()
					l.Goes(t, 2*tc.loops)
				}
				l.MustBeWhole(t)
			})
		}
	}
}

func httpReloads() int {
	if testing.Short() {
		return 3
	}
	return e2etest.Times(20, 6)
}

// An old worker with busy keep-alive clients doesn't wait for IdleGrace, and one with idle
// clients no longer.
func TestOldWorkerEndsSoon(t *testing.T) {
	for _, helper := range []string{"http-line", "rotahttp"} {
		t.Run(helper, func(t *testing.T) {
			cfg := server.Quick(1)
			cfg.IdleGrace = time.Minute
			p := e2etest.Start(t, helper, cfg)
			l := e2etest.StartKeepAlive(p.Addr(), e2etest.Get("/"), 32, 2*time.Millisecond)
			for range 5 {
				reloadEnds(p)
			}
			l.MustBeWhole(t)
			cfg.IdleGrace = 500 * time.Millisecond
			p = e2etest.Start(t, helper, cfg)
			idle := dialHTTP(t, p.Addr())
			idle.get("/")
			reloadEnds(p)
			idle.mustEnd()
		})
	}
}

// reloadEnds reloads, and returns when the old worker has ended.
func reloadEnds(p *e2etest.Process) {
	old := p.Children()[0]
	p.Reload()
	e2etest.WaitFor(p.TB(), "the old worker to be gone", func() bool { return !e2etest.Alive(old) }, p.Log.String)
}

// certificate writes a file with a certificate and its key.
func certificate(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...)
	path := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(path, both, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// HTTP/2 over TLS and h2c, and HTTP/1.1 over TLS, lose no request, with net/http's client.
// The body of the POSTs can't be read again, so the client can't send them twice.
func TestHTTP2ReloadUnderLoad(t *testing.T) {
	for _, tc := range []struct {
		name, helper, scheme string
		protocols            func(*http.Protocols)
	}{
		{"HTTP/2 over TLS", "rotahttp-tls", "https", func(p *http.Protocols) { p.SetHTTP2(true) }},
		{"HTTP/1.1 over TLS", "rotahttp-tls", "https", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"h2c", "rotahttp-h2c", "http", func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }},
		{"a prepared server, HTTP/2 over TLS", "prepared-tls", "https", func(p *http.Protocols) { p.SetHTTP2(true) }},
		{"a prepared server, HTTP/1.1 over TLS", "prepared-tls", "https", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"a prepared server, h2c", "prepared-h2c", "http", func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }},
		{"a prepared server, HTTP/1.1", "prepared-h2c", "http", func(p *http.Protocols) { p.SetHTTP1(true) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := e2etest.Start(t, tc.helper, server.Quick(1), e2etest.FlagsEnv+"="+certificate(t))
			l := e2etest.NewLoad()
			for range 8 {
				tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
				tc.protocols(tr.Protocols)
				defer tr.CloseIdleConnections()
				l.Add(2, posts(&http.Client{Transport: tr, Timeout: e2etest.Stuck}, tc.scheme+"://"+p.Addr()+"/echo"))
			}
			l.Goes(t, 16)
			for range httpReloads() {
				p.Reload()
				l.Goes(t, 64)
			}
			l.MustBeWhole(t)
			e2etest.WaitFor(t, "clean ends", func() bool { return p.Log.Count("clean end") >= httpReloads() })
		})
	}
}

// posts returns the loop of a client that makes POSTs.
func posts(c *http.Client, url string) func() (string, error) {
	return func() (string, error) { return "", e2etest.OrUnsent(post(c, url)) }
}

func post(c *http.Client, url string) error {
	resp, err := c.Post(url, "text/plain", io.LimitReader(endless{}, 3000)) // no GetBody
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || len(b) != 3000) {
		err = fmt.Errorf("status %s and %d bytes", resp.Status, len(b))
	}
	return err
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }
