package workerproc

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// A protocol with a reading and a writing goroutine of its own is untouched,
// even where it says what HTTP/1 says, later than at its beginning.
func TestConnOtherProtocols(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, client := ln.pair(t)
	lines := make(chan string)
	go func() {
		defer close(lines)
		for br := bufio.NewReader(server); ; {
			s, err := br.ReadString('\n')
			if err != nil {
				return
			}
			lines <- s
		}
	}()
	go func() {
		for s := range lines {
			io.WriteString(server, "you said:\n"+s)
		}
	}()
	br := bufio.NewReader(client)
	for i, s := range []string{"a\n", "HTTP/1.1 200 OK\r\n", "\r\n", "b\n", "HTTP/1.1 200 OK\r\n"} {
		if i == 2 {
			ln.drain()
		}
		for range 5 {
			ln.tick(1)
		}
		io.WriteString(client, s)
		br.ReadString('\n')
		if got, err := br.ReadString('\n'); got != s || err != nil {
			t.Fatalf("sent %q, got %q, %v", s, got, err)
		}
	}
}

func TestConnTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(hello))
	srv.StartTLS()
	defer srv.Close()
	ln := listenConns(t, "tcp")
	go http.Serve(tls.NewListener(ln, srv.TLS), http.HandlerFunc(hello))
	client := srv.Client()
	ln.drain()
	for range 3 {
		r, err := client.Get("https://" + ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
		if r.Close {
			t.Error("the answer announces the end")
		}
		for range 5 {
			ln.tick(1)
		}
	}
	if n := len(ln.all()); n != 1 {
		t.Errorf("%d connections were used for what one does", n)
	}
}

// A reverse proxy on our conns: answers that it copies, and a tunnel that it makes.
func TestConnReverseProxy(t *testing.T) {
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			tunnel("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")(w, r)
			return
		}
		echoBody(w, r)
	}))
	defer back.Close()
	to, _ := url.Parse(back.URL)
	ln := serveConns(t, "tcp", httputil.NewSingleHostReverseProxy(to).ServeHTTP)

	up := dialConn(t, ln.Addr())
	up.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
	if head := up.head(); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatal(head)
	}
	ln.drain()
	c := dialConn(t, ln.Addr())
	c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 38\r\n\r\n" + plainAnswer[:38])
	if head, body := c.answer("POST"); body != plainAnswer[:38] || !announced(head) {
		t.Errorf("%s%q", head, body)
	}
	c.end()
	for range 3 {
		for range 5 {
			ln.tick(1)
		}
		up.send("HTTP/1.1 200 OK\r\n")
		if got := up.full(17); got != "HTTP/1.1 200 OK\r\n" {
			t.Fatalf("got %q through the tunnel", got)
		}
	}
}

// tunnel is a handler that takes the conn over and echoes, after the answer.
func tunnel(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, brw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		io.WriteString(conn, answer)
		line := bufio.NewReader(brw)
		for {
			s, err := line.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(conn, s)
		}
	}
}

// What follows a 101 or a CONNECT is left alone, silent or not.
func TestConnTunnels(t *testing.T) {
	for _, tt := range []struct{ name, request, answer string }{
		{"upgrade", "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"},
		{"connect", "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"},
	} {
		for _, when := range []string{"before", "during"} {
			t.Run(tt.name+" "+when, func(t *testing.T) {
				ln := serveConns(t, "tcp", tunnel(tt.answer))
				if when == "during" {
					ln.drain()
				}
				c := dialConn(t, ln.Addr())
				c.send(tt.request)
				if got := c.full(len(tt.answer)); got != tt.answer {
					t.Fatalf("got %q", got)
				}
				ln.drain()
				for _, s := range []string{"hello\n", "HTTP/1.1 200 OK\r\n", "GET / HTTP/1.1\r\n"} {
					for range 5 {
						ln.tick(1)
					}
					c.send(s)
					if got := c.full(len(s)); got != s {
						t.Fatalf("sent %q, got %q", s, got)
					}
				}
			})
		}
	}
}

// An answer that goes on for longer than any idle time is left to go on, and
// what goes into it after the drain began is its own.
func TestConnStream(t *testing.T) {
	lines := make(chan string)
	ln := serveConns(t, "tcp", func(w http.ResponseWriter, r *http.Request) {
		for s := range lines {
			io.WriteString(w, s)
			http.NewResponseController(w).Flush()
		}
	})
	c := dialConn(t, ln.Addr())
	c.send(getRequest)
	const s = "HTTP/1.1 200 OK\r\n"
	lines <- s
	head := c.head()
	c.full(len("11\r\n" + s + "\r\n"))
	ln.drain()
	for range 10 {
		ln.tick(1)
		lines <- s
		if got := c.full(len("11\r\n" + s + "\r\n")); got != "11\r\n"+s+"\r\n" {
			t.Fatalf("got %q", got)
		}
	}
	close(lines)
	if got := c.full(5); got != "0\r\n\r\n" || announced(head) {
		t.Fatalf("got %q", got)
	}
	for range 3 { // nothing was announced: the client may still ask
		c.send(getRequest)
		head, _ := c.answer("GET")
		if announced(head) {
			break
		}
	}
	c.end()
}
