//go:build linux

package e2e

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
	"strings"
	"syscall"
	"testing"
	"time"
)

// Reloads under HTTP load cost no request, by the one line and by rotahttp.

func readable(raw syscall.RawConn) (yes bool) {
	_ = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		yes = n >= 0 && err == nil || err != syscall.EAGAIN
	})
	return yes
}

func TestHTTPReloadUnderLoad(t *testing.T) {
	takesLong(t)
	// The upstream answers in one piece. In several, net/http's own proxy and client cut
	// one answer to a POST in some thousands, with net.Listen too: the proxy's server
	// closes the request's body when it begins to answer, and the client, which looks a
	// last time whether that has ended, gives up the connection on which the rest comes.
	upstream := httptest.NewServer(http.HandlerFunc(httpEcho))
	defer upstream.Close()
	for _, helper := range []string{"http-line", "rotahttp", "http-proxy", "rotahttp-proxy"} {
		for _, tc := range []struct {
			name, request string
			loops         int
			pause         time.Duration
		}{
			{"closed loop", getRequest("/"), 16, 0},
			{"pauses", getRequest("/"), 64, 5 * time.Millisecond},
			{"POSTs", postRequest("/echo", 1024), 64, time.Millisecond},
			{"slow handlers", getRequest("/?sleep=100ms"), 16, 0},
		} {
			t.Run(helper+" "+tc.name, func(t *testing.T) {
				p := start(t, helper, quick(1), flagsEnv+"="+upstream.URL)
				l := startKeepAlive(p.addr(), tc.request, tc.loops, tc.pause)
				for range httpReloads() {
					p.reloadEvery(every / 2)
				}
				l.mustBeWhole(t)
			})
		}
	}
}

func httpReloads() int {
	if testing.Short() {
		return 3
	}
	return longTimes(20, 6)
}

// An old worker with busy keep-alive clients is gone in under a second; with idle ones
// in under IdleGrace and a second.
func TestHTTPOldWorkerIsGoneSoon(t *testing.T) {
	for _, helper := range []string{"http-line", "rotahttp"} {
		t.Run(helper, func(t *testing.T) {
			cfg := quick(1)
			cfg.IdleGrace = time.Second
			p := start(t, helper, cfg)
			l := startKeepAlive(p.addr(), getRequest("/"), 32, 2*time.Millisecond)
			for range 5 {
				old := p.living()[0]
				p.reload()
				mustBeGone(t, old, time.Second)
			}
			l.mustBeWhole(t)
			idle := dialHTTP(t, p.addr())
			idle.get("/")
			old := p.living()[0]
			p.reload()
			mustBeGone(t, old, cfg.IdleGrace+time.Second)
			idle.mustEnd()
		})
	}
}

func mustBeGone(t *testing.T, pid int, within time.Duration) {
	t.Helper()
	begin := time.Now()
	waitFor(t, "the old worker to be gone", func() bool { return !alive(pid) })
	if d := time.Since(begin) - exitTime; d > within {
		t.Errorf("the old worker was gone after %v, want %v at most", d, within)
	}
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

// HTTP/2 over TLS and in clear, and HTTP/1.1 over TLS, with net/http's client. POSTs of
// a body that can't be read again, which the client can't send twice; it doesn't send
// them twice either where the server may have had them.
func TestHTTP2ReloadUnderLoad(t *testing.T) {
	for _, tc := range []struct {
		name, helper, scheme string
		protocols            func(*http.Protocols)
	}{
		{"HTTP/2 over TLS", "rotahttp-tls", "https", func(p *http.Protocols) { p.SetHTTP2(true) }},
		{"HTTP/1.1 over TLS", "rotahttp-tls", "https", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"h2c", "rotahttp-h2c", "http", func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, tc.helper, quick(1), flagsEnv+"="+certificate(t))
			l := &load{stop: make(chan struct{}), generations: map[string]int{}}
			for range 8 {
				tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
				tc.protocols(tr.Protocols)
				defer tr.CloseIdleConnections()
				for range 2 {
					l.group.Add(1)
					go l.posts(&http.Client{Transport: tr, Timeout: stuck}, tc.scheme+"://"+p.addr()+"/echo")
				}
			}
			for range httpReloads() {
				p.reloadEvery(every / 2)
			}
			l.mustBeWhole(t)
			waitFor(t, "clean ends", func() bool { return p.log.Count("clean end") >= httpReloads() })
		})
	}
}

// posts is a closed loop of POSTs.
func (l *load) posts(c *http.Client, url string) {
	defer l.group.Done()
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		if err := post(c, url); err == nil || !unsent(err) {
			l.count("", err)
		}
	}
}

// unsent reports whether net/http's client has found, before it sent anything, that the
// connection that it had chosen takes no more requests. A request that was sent and
// refused fails with "cannot retry err [...] after Request.Body was written".
func unsent(err error) bool {
	return strings.Contains(err.Error(), "cannot rewind body after connection loss")
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
