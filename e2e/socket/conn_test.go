//go:build linux

package socket

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
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

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
	log.Fatal(http.Serve(ln, http.HandlerFunc(server.Answer)))
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

// acceptTCP answers on connections of package net's own type, 20 ms after the request.
func acceptTCP() {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	for {
		c, err := ln.(interface{ AcceptTCP() (*net.TCPConn, error) }).AcceptTCP()
		if err != nil {
			return // the worker has drained: nothing is cut
		}
		go func() {
			defer c.Close()
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				time.Sleep(20 * time.Millisecond)
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwhole")
			}
		}()
	}
}

// Connections of AcceptTCP are waited for: none is cut in reloads.
func TestAcceptTCP(t *testing.T) {
	p := e2etest.Start(t, "accept-tcp", server.Quick(2))
	l := e2etest.StartLoad(p.Addr(), "/", 8)
	for range 5 {
		l.Goes(t, 10)
		p.Reload()
	}
	l.MustBeWhole(t)
}

// tls.NewListener works on rota's listener: no handshake or request fails over reloads.
func TestTLS(t *testing.T) {
	p := e2etest.Start(t, "tls", server.Quick(2))
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
					if err := tlsRequest(p.Addr()); err != nil {
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
		p.Reload()
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
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: e2etest.Stuck}, "tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = e2etest.RequestOn(c, "/")
	return err
}

// labHalf reads a connection to its end, and then answers with the number of bytes.
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

func TestHalfClose(t *testing.T) {
	lab := labsOf(e2etest.Start(t, "lab", server.Quick(1)), 1)[0]
	for _, network := range []string{"tcp", "unix"} {
		addr := lab.must("listen", "name", network, "network", network, "address", map[string]string{"tcp": "127.0.0.1:0", "unix": e2etest.ShortDir(t) + "/s"}[network])
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write(make([]byte, 1000))
		c.(interface{ CloseWrite() error }).CloseWrite()
		lab.must("half", "name", network)
		c.SetDeadline(time.Now().Add(e2etest.Stuck))
		if b, err := io.ReadAll(c); err != nil || string(b) != "1000" {
			t.Errorf("%s: %q, %v", network, b, err)
		}
	}
}

const fileSize = 64 << 20

// labPour copies a file to a connection, and answers with the number of read and write
// system calls. With sendfile there are few.
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

// systemCalls returns how many read and write system calls this process has made.
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

func TestSendfile(t *testing.T) {
	if systemCalls() == 0 {
		t.Skip("no accounting of system calls here")
	}
	file := e2etest.ShortDir(t) + "/file"
	if err := os.WriteFile(file, make([]byte, fileSize), 0o644); err != nil {
		t.Fatal(err)
	}
	lab := labsOf(e2etest.Start(t, "lab", server.Quick(1)), 1)[0]
	addr := lab.must("listen", "name", "s", "network", "tcp", "address", "127.0.0.1:0")
	received := make(chan int64, 1)
	go func() { received <- drainConn(t, addr) }()
	calls, _ := strconv.Atoi(lab.must("pour", "name", "s", "file", file))
	if n := <-received; n != fileSize {
		t.Errorf("%d bytes came, want %d", n, fileSize)
	}
	if calls > 1000 { // without sendfile: 2,048 reads and 2,048 writes
		t.Errorf("%d reads and writes: sendfile was not used", calls)
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

func TestSplice(t *testing.T) {
	if systemCalls() == 0 {
		t.Skip("no accounting of system calls here")
	}
	lab := labsOf(e2etest.Start(t, "lab", server.Quick(1)), 1)[0]
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
		t.Errorf("%d reads and writes: splice was not used", calls)
	}
	t.Logf("%d reads and writes for %d MB", calls, fileSize>>20)
}

// A listener that the worker has opened itself drains, and the master doesn't know its
// address.
func TestOwnListenerIsDrained(t *testing.T) {
	p := e2etest.Start(t, "handle", server.Quick(1))
	addr := wordAfter(t, p, "handles ")
	sockets := len(e2etest.SocketFlags(t, p.PID()))
	if sockets > 1 {
		t.Errorf("the master has %d sockets besides the link", sockets-1)
	}
	if p.Logged(e2etest.NoAddress) != 1 {
		t.Errorf("the master knows of an address:\n%s", p.Log)
	}
	done := make(chan error, 1)
	go func() { _, err := e2etest.Request("tcp", addr, "/?sleep=300ms"); done <- err }()
	p.WaitOutput("handling", 1)
	p.Signal(syscall.SIGTERM)
	if err := <-done; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
}

// handle serves a listener of its own.
func handle() {
	if rota.IsMaster() {
		server.Serve()
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(os.Stderr, "handles", ln.Addr())
	log.Fatal(http.Serve(rota.Track(ln), http.HandlerFunc(server.Answer)))
}

// wordAfter returns the word after text in what p has written.
func wordAfter(t *testing.T, p *e2etest.Process, text string) string {
	t.Helper()
	p.WaitOutput(text, 1)
	_, rest, _ := strings.Cut(p.Log.String(), text)
	return strings.Fields(rest)[0]
}
