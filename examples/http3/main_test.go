//go:build linux

package main

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
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/rota-go/rota/internal/e2etest"
)

func TestReloadUnderRequests(t *testing.T) {
	cert, key := certificate(t)
	addr := e2etest.FreeAddress(t)
	cmd := exec.Command(e2etest.Build(t, "."), "-addr", addr, "-cert", cert, "-key", key)
	cmd.Env = append(os.Environ(), "ROTA_MIN_UPTIME=100ms")
	p := e2etest.Run(t, cmd)
	p.WaitLog(e2etest.WorkerReady, 1)
	l := e2etest.NewLoad()
	for range 4 {
		c := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
		defer c.Close()
		l.Add(1, func() (string, error) { return get(c, "https://"+addr+"/") })
	}
	for i := range 4 {
		p.Reload()
		p.WaitLog(e2etest.WorkerLeft, i+1)
	}
	l.MustBeWhole(t)
	p.Signal(syscall.SIGTERM)
	p.Wait()
}

func get(c *http3.Transport, url string) (string, error) {
	resp, err := (&http.Client{Transport: c, Timeout: e2etest.Stuck}).Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && !strings.HasPrefix(string(b), "hello from process ") {
		err = fmt.Errorf("%s: %q", resp.Status, b)
	}
	return string(b), err
}

// certificate makes the files of a certificate and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	e2etest.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	e2etest.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	e2etest.NoError(t, err)
	dir := t.TempDir()
	write := func(name, kind string, b []byte) string {
		path := filepath.Join(dir, name)
		e2etest.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600))
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", secret)
}
