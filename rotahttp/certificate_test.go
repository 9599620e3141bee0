package rotahttp

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// pair is the two files of a certificate.
type pair struct{ cert, key string }

func newPair(t *testing.T) pair {
	dir := t.TempDir()
	return pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// write replaces a file, as programs that renew certificates do.
func write(t *testing.T, path string, block *pem.Block) {
	t.Helper()
	if err := os.WriteFile(path+".new", pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// renewal is a certificate, and functions that write its two files.
type renewal struct {
	cert, key func()
	der       []byte
}

// renewedPair returns the files of the first certificate, which may be replaced by a second.
func renewedPair(t *testing.T) (p pair, first, second renewal) {
	t.Helper()
	p = newPair(t)
	first, second = p.renew(t), p.renew(t)
	first.cert()
	first.key()
	return p, first, second
}

// renew makes a new certificate.
func (p pair) renew(t *testing.T) (r renewal) {
	t.Helper()
	c := serverTLS(t).Certificates[0]
	keyDER, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	r.der = c.Certificate[0]
	r.cert = func() { write(t, p.cert, &pem.Block{Type: "CERTIFICATE", Bytes: r.der}) }
	r.key = func() { write(t, p.key, &pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}) }
	return r
}

// serves checks which certificate is served, after another has been looked for.
func (c *certificate) serves(t *testing.T, when string, der []byte) {
	t.Helper()
	got, err := c.get(nil)
	if err != nil || string(got.Certificate[0]) != string(der) {
		t.Errorf("%s: another certificate is served (%v)", when, err)
	}
}

// A renewed certificate is served within ten seconds; a pair that doesn't match isn't, and
// is reported once.
func TestRenewedCertificate(t *testing.T) {
	p, first, second := renewedPair(t)
	synctest.Test(t, func(t *testing.T) {
		c, err := newCertificate(p.cert, p.key)
		if err != nil {
			t.Fatal(err)
		}
		failed := 0
		c.failed = func(error) { failed++ }
		pass := func(d time.Duration) {
			time.Sleep(d)
			c.get(nil)      // looks at the files
			synctest.Wait() // for the line about them
		}
		second.cert()
		pass(9 * time.Second)
		c.serves(t, "before ten seconds", first.der)
		for range 3 {
			pass(11 * time.Second)
		}
		c.serves(t, "with the old key", first.der)
		if failed != 1 {
			t.Errorf("reported %d times, want once", failed)
		}
		second.key()
		pass(11 * time.Second)
		c.serves(t, "with both files", second.der)
		os.Remove(p.key)
		pass(11 * time.Second)
		pass(11 * time.Second)
		c.serves(t, "without a file", second.der)
		if failed != 2 {
			t.Errorf("reported %d times, want twice", failed)
		}
		first.cert()
		first.key()
		pass(11 * time.Second)
		c.serves(t, "with the first one again", first.der)
	})
}

// The first handshake after a renewal gets the new certificate, however quiet the server was. A file system that
// doesn't answer holds up the handshakes of a fraction of a second, and no later ones.
func TestHandshakeWaitsForLook(t *testing.T) {
	p, first, second := renewedPair(t)
	synctest.Test(t, func(t *testing.T) {
		c, err := newCertificate(p.cert, p.key)
		if err != nil {
			t.Fatal(err)
		}
		answers := make(chan struct{})
		c.load = func(cert, key string) (tls.Certificate, error) { <-answers; return tls.LoadX509KeyPair(cert, key) }
		second.cert()
		second.key()
		time.Sleep(certificateInterval)
		for _, wait := range []time.Duration{lookWait, 0} {
			began := time.Now()
			c.serves(t, "without an answer", first.der)
			if d := time.Since(began); d != wait {
				t.Errorf("the handshake took %v, want %v", d, wait)
			}
		}
		close(answers)
		synctest.Wait()
		c.serves(t, "with the late answer", second.der)
		first.cert()
		first.key()
		time.Sleep(certificateInterval)
		c.serves(t, "at the first handshake", first.der)
	})
}

// The line about a pair that can't be used is one of the worker.
func TestCertificateLine(t *testing.T) {
	c := &certificate{certFile: "cert.pem"}
	for id, want := range map[int]string{0: "rota: ", 17: "rota: worker 17: "} {
		want += "WARN the certificate in cert.pem can't be renewed, the last one stays: no"
		if got := c.line(id, errors.New("no")); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A certificate that can't be read at the start is an error.
func TestMissingCertificate(t *testing.T) {
	p := newPair(t)
	if _, err := newCertificate(p.cert, p.key); !os.IsNotExist(err) {
		t.Errorf("%v, want that the file is missing", err)
	}
}
