package rotahttp

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/rota-go/rota/internal/workerproc"
)

// certificateInterval is how often the files of a certificate are looked at.
const certificateInterval = 10 * time.Second

// lookWait is how long handshakes wait for a look, as the file system may not answer.
const lookWait = 250 * time.Millisecond

// certificate is a certificate and its key, which are read again when their files change.
type certificate struct {
	certFile, keyFile string
	load              func(certFile, keyFile string) (tls.Certificate, error)
	failed            func(error) // called once for each state of the files that can't be used

	mu      sync.Mutex
	current *tls.Certificate // the last that could be used
	state   [2]fs.FileInfo   // of the files, when they were read last
	began   time.Time        // the last look
	look    chan struct{}    // closed at the end of the look that is under way; nil: there is none
}

// newCertificate reads the files.
func newCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, load: tls.LoadX509KeyPair, began: time.Now()}
	c.failed = c.report
	c.state = c.stat()
	pair, err := c.load(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	c.current = &pair
	return c, nil
}

// report writes a line of the worker, or of a process that has no master.
func (c *certificate) report(err error) {
	id := 0
	if w := workerproc.Self(); w != nil {
		id = w.ID()
	}
	fmt.Fprintln(os.Stderr, c.line(id, err))
}

// line returns the line of the worker id. 0 is a process that has no master.
func (c *certificate) line(id int, err error) string {
	text := fmt.Sprintf("WARN the certificate in %s can't be renewed, the last one stays: %v", c.certFile, err)
	if id > 0 {
		text = fmt.Sprintf("worker %d: %s", id, text)
	}
	return "rota: " + text
}

// get is a tls.Config.GetCertificate. The handshake that finds that a look is due waits for it, as do
// those that come meanwhile, until lookWait after its begin.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.lookAgain()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current, nil
}

func (c *certificate) lookAgain() {
	ended, wait := c.due()
	if ended == nil {
		return
	}
	select {
	case <-ended:
	case <-time.After(wait):
	}
}

// due begins a look if it is time. It returns the channel that is closed at the end of the look that is
// under way, and how long to wait for it; nil if there is none.
func (c *certificate) due() (ended <-chan struct{}, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.look == nil && time.Since(c.began) >= certificateInterval {
		c.began, c.look = time.Now(), make(chan struct{})
		go c.check()
	}
	return c.look, time.Until(c.began.Add(lookWait))
}

// check reads the files if they have changed. A line that says why they can't be used holds up no
// handshake.
func (c *certificate) check() {
	state := c.stat()
	var pair tls.Certificate
	var err error
	changed := !same(state, c.state)
	if changed {
		pair, err = c.load(c.certFile, c.keyFile)
	}
	c.checked(state, pair, changed && err == nil)
	if err != nil {
		c.failed(err)
	}
}

// checked ends a look. pair is used if it is a new one.
func (c *certificate) checked(state [2]fs.FileInfo, pair tls.Certificate, renewed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state = state; renewed {
		c.current = &pair
	}
	close(c.look)
	c.look = nil
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
