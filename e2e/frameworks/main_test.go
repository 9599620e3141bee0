//go:build linux

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
)

const reloads = 10

// Reloads cost no request on HTTP/2, over TLS and in cleartext, nor on HTTP/1.1.
func TestReloadUnderRequests(t *testing.T) {
	for _, tc := range []struct {
		framework, scheme string
		protocols         func(*http.Protocols)
	}{
		{"echo", "http", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"echo-h2c", "http", func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }},
		{"echo-h2c", "http", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"exporter", "https", func(p *http.Protocols) { p.SetHTTP2(true) }},
		{"exporter", "https", func(p *http.Protocols) { p.SetHTTP1(true) }},
	} {
		protocols := new(http.Protocols)
		tc.protocols(protocols)
		t.Run(fmt.Sprint(tc.framework, " ", protocols), func(t *testing.T) {
			p := e2etest.Run(t, exec.Command(e2etest.Build(t, "."), "-addr", e2etest.FreeAddress(t),
				"-framework", tc.framework, "-web.config.file", webConfig(t)))
			p.WaitLog(e2etest.WorkerReady, 1)
			l := e2etest.NewLoad()
			for range 8 {
				tr := &http.Transport{Protocols: protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
				defer tr.CloseIdleConnections()
				c := &http.Client{Transport: tr, Timeout: e2etest.Stuck}
				l.Add(2, func() (string, error) { return "", post(c, tc.scheme+"://"+p.Addr()) })
			}
			l.Goes(t, 16)
			for range reloads {
				p.Reload()
				l.Goes(t, 64)
			}
			l.MustBeWhole(t)
			e2etest.WaitFor(t, "clean ends", func() bool { return p.Log.Count("clean end") >= reloads })
		})
	}
}

// post makes a request that net/http's client can't send twice: its body can't be read again.
func post(c *http.Client, url string) error {
	body := bytes.Repeat([]byte("x"), 3000)
	req, err := http.NewRequest("POST", url, io.MultiReader(bytes.NewReader(body)))
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return e2etest.OrUnsent(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && !bytes.Equal(b, body) {
		err = fmt.Errorf("status %s and %d bytes", resp.Status, len(b))
	}
	return err
}

// webConfig writes the exporter toolkit's configuration with a certificate.
func webConfig(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	e2etest.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	e2etest.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	e2etest.NoError(t, err)
	dir := t.TempDir()
	for name, b := range map[string][]byte{
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		"web.yml":  []byte("tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n"),
	} {
		e2etest.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	return filepath.Join(dir, "web.yml")
}
