//go:build linux

package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
)

// example builds a program of examples/ and runs it with two workers, and short trials.
func example(t *testing.T, name string, args ...string) *e2etest.Process {
	t.Helper()
	cmd := exec.Command(e2etest.Build(t, "../../examples/"+name), args...)
	cmd.Env = append(os.Environ(), "ROTA_WORKERS=2", "ROTA_MIN_UPTIME=200ms")
	p := e2etest.Run(t, cmd)
	p.WaitLog(e2etest.WorkerReady, 2)
	return p
}

var exampleReloads = e2etest.Times(50, 4) // each has two trials

func TestExampleUnixHTTP(t *testing.T) {
	t.Parallel()
	e2etest.SkipShort(t)
	path := e2etest.ShortDir(t) + "/s"
	p := example(t, "unixhttp", "-socket", path)
	if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeSocket|0o660 {
		t.Errorf("the file: %v, %v, want mode 660", info.Mode(), err)
	}
	l := e2etest.StartLoadOn("unix", path, "/", 8)
	for range exampleReloads {
		p.Reload()
	}
	l.MustBeWhole(t)
}

// Every datagram is answered, except those that the kernel has dropped and counted because
// the buffer of a socket was full.
func TestExampleDNS(t *testing.T) {
	t.Parallel()
	e2etest.SkipShort(t)
	addr := net.JoinHostPort("127.0.0.1", e2etest.FreePort(t))
	p := example(t, "dns", "-addr", addr)
	var sent, lost atomic.Int64
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 4 {
		group.Add(1)
		go func() {
			defer group.Done()
			s, l := queries(t, addr, stop)
			sent.Add(s)
			lost.Add(l)
		}()
	}
	for range exampleReloads {
		p.Reload()
	}
	close(stop)
	group.Wait()
	dropped := drops(t, addr)
	t.Logf("%d datagrams over %d reloads: %d lost, the kernel dropped %d", sent.Load(), exampleReloads, lost.Load(), dropped)
	if sent.Load() == 0 || lost.Load() > dropped {
		t.Errorf("%d of %d datagrams were lost, of which the kernel dropped %d", lost.Load(), sent.Load(), dropped)
	}
}

// drops returns how many datagrams the kernel has dropped because the buffer of a socket
// was full.
func drops(t *testing.T, addr string) (n int64) {
	t.Helper()
	_, port, _ := net.SplitHostPort(addr)
	number, _ := strconv.Atoi(port)
	b, err := os.ReadFile("/proc/net/udp")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) > 12 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", number)) {
			k, _ := strconv.ParseInt(f[12], 10, 64)
			n += k
		}
	}
	return n
}

// queries sends a query every two milliseconds until stop is closed, and waits for the last
// answers. It returns how many it has sent, and how many got no answer, without those that
// this side has dropped.
func queries(t *testing.T, addr string, stop <-chan struct{}) (sent, lost int64) {
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	defer c.Close()
	answers := make(chan map[uint32]bool, 1)
	go func() { answers <- collect(c) }()
	query := make([]byte, 16)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for going := true; going; {
		select {
		case <-stop:
			going = false
		case <-tick.C:
			sent++
			binary.BigEndian.PutUint32(query[12:], uint32(sent))
			if _, err := c.Write(query); err != nil {
				t.Error(err)
			}
		}
	}
	c.SetReadDeadline(time.Now().Add(2 * time.Second)) // for answers that are on their way
	return sent, sent - int64(len(<-answers)) - drops(t, c.LocalAddr().String())
}

// collect reads answers until the deadline.
func collect(c net.Conn) map[uint32]bool {
	seen := map[uint32]bool{}
	for b := make([]byte, 64); ; {
		n, err := c.Read(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return seen
		}
		if err == nil && n == 16 && b[2]&0x80 != 0 {
			seen[binary.BigEndian.Uint32(b[12:])] = true
		}
	}
}
