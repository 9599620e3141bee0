//go:build linux

package e2e

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota"
)

// What is done with accepted connections: TLS, half-close, sendfile, splice.

func init() {
	helpers["tls"] = tlsServer
	orders["pour"] = labPour
	orders["pipe"] = labPipe
	orders["half"] = labHalf
}

func tlsServer() {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	cert, err := selfSigned()
	if err != nil {
		log.Fatal(err)
	}
	ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}})
	log.Fatal(http.Serve(ln, http.HandlerFunc(answer)))
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// tls.NewListener on rota's listener: handshakes and answers over reloads, one request
// a connection.
func TestSocketTLS(t *testing.T) {
	p := start(t, "tls", quick(2))
	stop, failed := make(chan struct{}), make(chan error, 4)
	n := make(chan int, 4)
	for range 4 {
		go func() {
			done := 0
			for {
				select {
				case <-stop:
					n <- done
					failed <- nil
					return
				default:
					if err := tlsRequest(p.addr()); err != nil {
						n <- done
						failed <- err
						return
					}
					done++
				}
			}
		}()
	}
	for range 3 {
		p.reload()
	}
	close(stop)
	total := 0
	for range 4 {
		total += <-n
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d requests over 3 reloads", total)
}

func tlsRequest(addr string) error {
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: stuck}, "tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = exchange(c, bufio.NewReader(c), "/", "Connection: close\r\n")
	return err
}

// labHalf answers with the length of what comes until its end, after that end.
func labHalf(v url.Values) (string, error) {
	c, err := opened(v).(net.Listener).Accept()
	if err != nil {
		return "", err
	}
	defer c.Close()
	n, err := io.Copy(io.Discard, c)
	fmt.Fprint(c, n)
	if err == nil {
		err = c.(interface{ CloseWrite() error }).CloseWrite()
	}
	return "", err
}

func TestSocketHalfClose(t *testing.T) {
	lab := start(t, "lab", quick(1)).labs(1)[0]
	for _, network := range []string{"tcp", "unix"} {
		addr := lab.must("listen", "name", network, "network", network, "address", map[string]string{"tcp": "127.0.0.1:0", "unix": shortDir(t) + "/s"}[network])
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write(make([]byte, 1000))
		c.(interface{ CloseWrite() error }).CloseWrite()
		lab.must("half", "name", network)
		c.SetDeadline(time.Now().Add(stuck))
		if b, err := io.ReadAll(c); err != nil || string(b) != "1000" {
			t.Errorf("%s: %q, %v", network, b, err)
		}
	}
}

const fileSize = 64 << 20

// labPour copies a file to a connection, and answers with how many reads and writes
// the kernel has counted. With sendfile there are few; 32 KB at a time would be 2,000.
func labPour(v url.Values) (string, error) {
	f, err := os.Open(v.Get("file"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	c, err := opened(v).(net.Listener).Accept()
	if err != nil {
		return "", err
	}
	defer c.Close()
	before := systemCalls()
	if _, err := io.Copy(c, f); err != nil {
		return "", err
	}
	return fmt.Sprint(systemCalls() - before), nil
}

// labPipe copies one connection to another, as a proxy does.
func labPipe(v url.Values) (string, error) {
	ln := opened(v).(net.Listener)
	from, err := ln.Accept()
	if err != nil {
		return "", err
	}
	defer from.Close()
	to, err := ln.Accept()
	if err != nil {
		return "", err
	}
	defer to.Close()
	before := systemCalls()
	if _, err := io.Copy(to, from); err != nil {
		return "", err
	}
	return fmt.Sprint(systemCalls() - before), nil
}

// systemCalls is how many read and write system calls this process has made.
func systemCalls() (n int) {
	b, _ := os.ReadFile("/proc/self/io")
	for _, line := range strings.Split(string(b), "\n") {
		name, value, _ := strings.Cut(line, ": ")
		if name == "syscr" || name == "syscw" {
			k, _ := strconv.Atoi(value)
			n += k
		}
	}
	return n
}

func TestSocketSendfile(t *testing.T) {
	if systemCalls() == 0 {
		t.Skip("no accounting of system calls here")
	}
	file := shortDir(t) + "/file"
	if err := os.WriteFile(file, make([]byte, fileSize), 0o644); err != nil {
		t.Fatal(err)
	}
	lab := start(t, "lab", quick(1)).labs(1)[0]
	addr := lab.must("listen", "name", "s", "network", "tcp", "address", "127.0.0.1:0")
	received := make(chan int64, 1)
	go func() { received <- drainConn(t, addr) }()
	calls, _ := strconv.Atoi(lab.must("pour", "name", "s", "file", file))
	if n := <-received; n != fileSize {
		t.Errorf("%d bytes came, want %d", n, fileSize)
	}
	if calls > 1000 { // 2,048 reads and as many writes without it
		t.Errorf("%d reads and writes: that is no sendfile", calls)
	}
	t.Logf("%d reads and writes for %d MB", calls, fileSize>>20)
}

func drainConn(t *testing.T, addr string) int64 {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer c.Close()
	n, err := io.Copy(io.Discard, c)
	if err != nil {
		t.Error(err)
	}
	return n
}

func TestSocketSplice(t *testing.T) {
	if systemCalls() == 0 {
		t.Skip("no accounting of system calls here")
	}
	lab := start(t, "lab", quick(1)).labs(1)[0]
	addr := lab.must("listen", "name", "s", "network", "tcp", "address", "127.0.0.1:0")
	from, err := net.Dial("tcp", addr) // accepted first
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer from.Close()
		block := make([]byte, 1<<20)
		for range fileSize >> 20 {
			if _, err := from.Write(block); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	received := make(chan int64, 1)
	go func() { received <- drainConn(t, addr) }()
	calls, _ := strconv.Atoi(lab.must("pipe", "name", "s"))
	if n := <-received; n != fileSize {
		t.Errorf("%d bytes came, want %d", n, fileSize)
	}
	if calls > 1000 {
		t.Errorf("%d reads and writes: that is no splice", calls)
	}
	t.Logf("%d reads and writes for %d MB", calls, fileSize>>20)
}

// Handle: a listener of the worker's own making is drained, the master is not asked,
// and hears of no address.
func TestSocketHandle(t *testing.T) {
	p := start(t, "handle", quick(1))
	addr := p.word("handles ")
	sockets := len(socketFlags(t, p.pid()))
	if sockets > 1 {
		t.Errorf("the master has %d sockets besides the link", sockets-1)
	}
	if p.log.Count("on=[]") != 1 {
		t.Errorf("the master knows of an address:\n%s", p.log)
	}
	done := make(chan error, 1)
	go func() { _, err := request("tcp", addr, "/?sleep=300ms"); done <- err }()
	p.waitLog("handling", 1)
	p.signal(15)
	if err := <-done; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
}

func init() {
	helpers["handle"] = func() {
		if rota.IsMaster() {
			serve()
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprintln(os.Stderr, "handles", ln.Addr())
		log.Fatal(http.Serve(rota.Track(ln), http.HandlerFunc(answer)))
	}
}

// word is what follows text in the log.
func (p *process) word(text string) string {
	p.t.Helper()
	p.waitLog(text, 1)
	_, rest, _ := strings.Cut(p.log.String(), text)
	return strings.Fields(rest)[0]
}
