package listentest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

var serveCases = []testCase{
	{"HTTPServe", "http.Server: Serve accepts incoming connections; when Shutdown is called, it immediately returns ErrServerClosed.", byteNets, httpServe},
	{"HTTPShutdownWaits", "http.Server: Shutdown gracefully shuts down the server without interrupting any active connections.", byteNets, httpShutdownWaits},
	{"TLS", "tls.NewListener creates a Listener which accepts connections from an inner Listener.", byteNets, tlsListener},
}

// served is an http.Server on a listener under test.
type served struct {
	*trial
	server *http.Server
	serve  *call[struct{}]
	client *http.Client
}

func (t *trial) serve(h http.HandlerFunc) *served {
	t.Helper()
	ln := t.listen()
	s := &served{trial: t, server: &http.Server{Handler: h}, client: t.httpClient(ln.Addr().String())}
	s.serve = startErr(t, "http.Serve", func() error { return s.server.Serve(ln) })
	t.closeAtEnd("the HTTP server", s.server)
	return s
}

func (t *trial) httpClient(address string) *http.Client {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, t.network, address)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 2 * t.timeout()}
}

func (s *served) get() ([]byte, error) {
	resp, err := s.client.Get("http://server/")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func (s *served) shutdown() error {
	ctx, cancel := context.WithDeadline(context.Background(), s.end())
	defer cancel()
	return s.server.Shutdown(ctx)
}

func (s *served) wantServerClosed() {
	s.Helper()
	if err := s.serve.waitErr(); !errors.Is(err, http.ErrServerClosed) {
		s.Errorf("Serve: %v, want %v", err, http.ErrServerClosed)
	}
}

func httpServe(t *trial) {
	body := payload(100_000)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
	for range several {
		if got, err := soon(t, "GET", s.get); err != nil || !bytes.Equal(got, body) {
			t.Fatalf("GET: %d of %d bytes, %v", len(got), len(body), err)
		}
	}
	t.must("Shutdown", s.shutdown)
	s.wantServerClosed()
}

func httpShutdownWaits(t *trial) {
	entered, answer := make(chan struct{}, 1), make(chan struct{})
	release := sync.OnceFunc(func() { close(answer) })
	s := t.serve(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-answer
		io.WriteString(w, "answer")
	})
	t.Cleanup(release)
	get := start(t, "GET", s.get)
	t.must("the request", func() error { <-entered; return nil })
	shutdown := startErr(t, "Shutdown", s.shutdown)
	s.wantServerClosed()
	shutdown.mustBlock()
	release()
	if got, err := get.wait(); err != nil || string(got) != "answer" {
		t.Errorf("GET: %q, %v", got, err)
	}
	if err := shutdown.waitErr(); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func tlsListener(t *trial) {
	cert := t.certificate()
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	inner := t.listen()
	ln := tls.NewListener(inner, &tls.Config{Certificates: []tls.Certificate{cert}})
	client := tls.Client(t.dial(inner), &tls.Config{RootCAs: roots, ServerName: "server"})
	handshake := startErr(t, "the handshake", client.Handshake)
	server := t.accept(ln)
	t.send(server, "hello") // Write completes the handshake first
	if err := handshake.waitErr(); err != nil {
		t.Fatalf("TLS handshake: %v", err)
	}
	t.receive(client, "hello")
	t.exchange(client, server)
	t.must("Close", ln.Close)
	t.wantAcceptClosed(inner, start(t, "Accept after Close", ln.Accept).waitErr())
}

// certificate returns a self-signed certificate for the host name "server".
func (t *trial) certificate() tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("no key: %v", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"server"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatalf("no certificate: %v", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("no certificate: %v", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
