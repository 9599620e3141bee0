package rotahttp

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

func serverTLS(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// HTTP/1.1 over TLS drains too: the response says close, and an idle connection is closed
// after IdleGrace.
func TestHTTP1OverTLS(t *testing.T) {
	t.Parallel()
	srv := &http.Server{Handler: echoHandler, TLSConfig: serverTLS(t)}
	s := startOn(t, srv, newWorker(5*idleCheckInterval), mustListen(t), func(l net.Listener) error { return srv.ServeTLS(l, "", "") })
	secure := func() *client {
		c, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return over(t, c)
	}
	busy, idle := secure(), secure()
	busy.get("/", false)
	idle.get("/", false)
	begin := time.Now()
	s.beginDrain()
	busy.get("/", true)
	busy.mustEnd(soon)
	idle.mustEnd(soon)
	if d := time.Since(begin); d < 3*idleCheckInterval {
		t.Errorf("the idle connection was closed after %v, want %v", d, 5*idleCheckInterval)
	}
	s.mustReturn(nil, soon)
}

// goAways is a client's conn that records the GOAWAY frames it reads.
type goAways struct {
	net.Conn
	mu     sync.Mutex
	parser frameTracker
	body   []byte
	last   []uint32 // the last stream that each GOAWAY names
}

func (g *goAways) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	for b := p[:n]; len(b) > 0; {
		payload := g.parser.payloadLeft > 0
		k := g.parser.step(b)
		if payload && g.parser.header[3] == 7 {
			if g.body = append(g.body, b[:k]...); g.parser.payloadLeft == 0 {
				g.last = append(g.last, binary.BigEndian.Uint32(g.body))
				g.body = nil
			}
		}
		b = b[k:]
	}
	return n, err
}

func (g *goAways) got() []uint32 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.last)
}

// cleartext returns an h2c client that uses one connection.
func cleartext(t *testing.T, addr string) (*http.Client, *goAways) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	g := &goAways{Conn: c}
	tr := &http.Transport{
		Protocols:   new(http.Protocols),
		DialContext: func(context.Context, string, string) (net.Conn, error) { return g, nil },
	}
	tr.Protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: tr}, g
}

// settings is an empty SETTINGS frame, the first that a client sends (RFC 9113, section
// 3.4).
var settings = make([]byte, 9)

func init() { settings[3] = 4 }

func h2cServer(h http.HandlerFunc) *http.Server {
	srv := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	return srv
}

// A stream in flight finishes. The client gets the first GOAWAY at once, with the highest
// possible stream, and the second one later.
func TestHTTP2StreamInFlightFinishes(t *testing.T) {
	t.Parallel()
	release := make(chan bool)
	s := start(t, h2cServer(func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			fmt.Fprintf(w, "part %d\n", i)
			w.(http.Flusher).Flush()
			<-release
		}
	}), newWorker(timeout))
	c, g := cleartext(t, s.addr)
	resp, err := c.Get("http://" + s.addr)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(resp.Body)
	if line, err := r.ReadString('\n'); line != "part 0\n" {
		t.Fatal(line, err)
	}
	s.beginDrain()
	waitFor(t, "a GOAWAY", func() bool { return len(g.got()) > 0 })
	release <- true
	if line, err := r.ReadString('\n'); line != "part 1\n" {
		t.Fatal(line, err)
	}
	waitFor(t, "the second GOAWAY", func() bool { return len(g.got()) > 1 }) // of net/http; the stream is still open
	s.mustServe()
	close(release)
	if rest, err := io.ReadAll(r); string(rest) != "part 2\n" || err != nil {
		t.Fatal(string(rest), err)
	}
	s.mustReturn(nil, timeout)
	if got := g.got(); !slices.Equal(got, []uint32{1<<31 - 1, 1}) {
		t.Errorf("the GOAWAYs name streams %d, want 2^31-1 and 1", got)
	}
}

// The first GOAWAY refuses no request: requests that cross it are answered. This client
// writes frames itself, because net/http's would retry.
func TestHTTP2RequestsThatCrossGoAwayAreAnswered(t *testing.T) {
	t.Parallel()
	s := start(t, h2cServer(echo), newWorker(timeout))
	c := dial(t, s.addr)
	c.send("%s%s", preface, settings)
	request := func(stream byte) {
		head := append([]byte{0x82, 0x86, 0x84, 0x41, 4}, "test"...) // GET http / test
		f := append(frame(frameHeaders, flagEndHeaders|1, 0), head...)
		f[2], f[8] = byte(len(head)), stream
		c.send("%s", f)
	}
	request(1)
	c.awaitFrame(0, 1)
	s.beginDrain()
	c.awaitFrame(7, 0) // the next two stand for requests sent before it arrived
	request(3)
	c.awaitFrame(0, 3)
	request(5)
	c.awaitFrame(0, 5)
	c.awaitFrame(7, 0)
	s.mustReturn(nil, timeout)
}

// awaitFrame reads frames until one has this type and stream. A DATA frame (type 0) must
// also have END_STREAM.
func (c *client) awaitFrame(typ, stream byte) {
	c.t.Helper()
	for {
		var head [9]byte
		if _, err := io.ReadFull(c.r, head[:]); err != nil {
			c.t.Fatalf("waiting for a frame of type %d on stream %d: %v", typ, stream, err)
		}
		if _, err := io.CopyN(io.Discard, c.r, int64(head[1])<<8|int64(head[2])); err != nil {
			c.t.Fatal(err)
		}
		if head[3] == typ && head[8] == stream && (typ != 0 || head[4]&1 != 0) {
			return
		}
	}
}

// An idle HTTP/2 connection is closed soon after noAnswerTime, even if the client does
// nothing.
func TestHTTP2IdleConnIsClosed(t *testing.T) {
	t.Parallel()
	s := start(t, h2cServer(echo), newWorker(timeout))
	c := dial(t, s.addr)
	c.send("%s%s", preface, settings)
	c.awaitFrame(4, 0)
	s.beginDrain()
	s.mustReturn(nil, soon)
}

// A connection is closed if the client has negotiated HTTP/2 but doesn't send its preface.
func TestHTTP2WrongPreface(t *testing.T) {
	srv := &http.Server{Handler: echoHandler, TLSConfig: serverTLS(t)}
	s := startOn(t, srv, newWorker(timeout), mustListen(t), func(l net.Listener) error { return srv.ServeTLS(l, "", "") })
	tc, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	c := over(t, tc)
	c.send("GET / HTTP/1.1\r\n\r\n------%s", settings)
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Errorf("the connection was not closed: %v", err)
	}
}
