package listentest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"time"
)

func tlsListener(t *trial) {
	cert := t.certificate()
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	inner := t.listen()
	ln := tls.NewListener(inner, &tls.Config{Certificates: []tls.Certificate{cert}})
	client := tls.Client(t.dial(inner), &tls.Config{RootCAs: roots, ServerName: "server"})
	handshake := startErr(t, "the handshake", client.Handshake)
	server := t.accept(ln)
	t.send(server, "hello") // which shakes hands first
	if err := handshake.waitErr(); err != nil {
		t.Fatalf("the handshake: %v", err)
	}
	t.receive(client, "hello")
	t.exchange(client, server)
	t.must("Close", ln.Close)
	t.wantAcceptClosed(inner, start(t, "Accept after Close", ln.Accept).waitErr())
}

// certificate is one for the name server, signed by itself.
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
