package rotahttp

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// certificateInterval is how often the files of a certificate are looked at.
const certificateInterval = 10 * time.Second

// certificate is a certificate and its key, which are read again when their files change.
type certificate struct {
	certFile, keyFile string
	failed            func(error) // called once for each state of the files that can't be used

	mu      sync.Mutex
	current *tls.Certificate // the last that could be used
	state   [2]fs.FileInfo   // of the files, when they were read last
	checked time.Time
	reading bool
}

// newCertificate reads the files.
func newCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, checked: time.Now()}
	c.failed = func(err error) {
		fmt.Fprintf(os.Stderr, "rota: the certificate in %s can't be renewed, the last one stays: %v\n", certFile, err)
	}
	c.state = c.stat()
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	c.current = &pair
	return c, nil
}

// get is a tls.Config.GetCertificate. It never waits for a file.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reading && time.Since(c.checked) >= certificateInterval {
		c.reading = true
		go c.check()
	}
	return c.current, nil
}

// check reads the files if they have changed.
func (c *certificate) check() {
	state := c.stat()
	var pair tls.Certificate
	var err error
	changed := !same(state, c.state)
	if changed {
		pair, err = tls.LoadX509KeyPair(c.certFile, c.keyFile)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checked, c.reading, c.state = time.Now(), false, state
	switch {
	case err != nil:
		c.failed(err)
	case changed:
		c.current = &pair
	}
}

func (c *certificate) stat() (state [2]fs.FileInfo) {
	for i, name := range []string{c.certFile, c.keyFile} {
		state[i], _ = os.Stat(name) // nil: it is missing
	}
	return state
}

// same reports whether the files are as they were.
func same(a, b [2]fs.FileInfo) bool {
	for i := range a {
		switch {
		case a[i] == nil || b[i] == nil:
			if a[i] != b[i] {
				return false
			}
		case !os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime()):
			return false
		}
	}
	return true
}
