package rotahttp

import (
	"crypto/tls"
	"io"
	"net/http"
	"testing"
)

// resumes reports whether the second of two connections, to servers with these
// configurations, resumes the session of the first.
func resumes(t *testing.T, first, second *http.Server) bool {
	t.Helper()
	client := &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1), ServerName: "one"}
	var resumed bool
	for _, srv := range []*http.Server{first, second} {
		ln := mustListen(t)
		go srv.ServeTLS(ln, "", "")
		defer ln.Close()
		c, err := tls.Dial("tcp", ln.Addr().String(), client)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
		io.ReadAll(c) // the ticket comes after the handshake
		resumed = c.ConnectionState().DidResume
	}
	return resumed
}

// Servers of two workers with the same keys resume each other's sessions, and others don't.
func TestSharedTickets(t *testing.T) {
	base := serverTLS(t)
	server := func(keys [][32]byte, change func(*tls.Config)) *http.Server {
		w := newWorker(0)
		w.keys = keys
		cfg := base.Clone()
		change(cfg)
		srv := &http.Server{Handler: echoHandler, TLSConfig: cfg}
		shareTickets(srv, w)
		shareTickets(srv, w) // a second listener
		return srv
	}
	as := func(*tls.Config) {}
	//lint:ignore SA1019 programs may still set it
	own := func(c *tls.Config) { c.SessionTicketKey = [32]byte{9} }
	used := func(c *tls.Config) { // by another server, before this one
		ln := mustListen(t)
		defer ln.Close()
		go (&http.Server{Handler: echoHandler, TLSConfig: c}).Serve(tls.NewListener(ln, c))
		conn, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	off := func(c *tls.Config) { c.SessionTicketsDisabled = true }
	for _, tc := range []struct {
		name          string
		first, second *http.Server
		want          bool
	}{
		{"the same keys", server([][32]byte{{1}}, as), server([][32]byte{{1}}, as), true},
		{"a newer key first", server([][32]byte{{1}}, as), server([][32]byte{{2}, {1}}, as), true},
		{"other keys", server([][32]byte{{1}}, as), server([][32]byte{{2}}, as), false},
		{"no keys yet", server(nil, as), server(nil, as), false},
		{"the program's key", server([][32]byte{{1}}, own), server([][32]byte{{2}}, own), true},
		{"a config that was used", server([][32]byte{{1}}, used), server([][32]byte{{1}}, used), true},
		{"disabled", server([][32]byte{{1}}, off), server([][32]byte{{1}}, off), false},
	} {
		if got := resumes(t, tc.first, tc.second); got != tc.want {
			t.Errorf("%s: resumed %v, want %v", tc.name, got, tc.want)
		}
	}
}

// A server without a TLSConfig gets one.
func TestTicketsWithoutConfig(t *testing.T) {
	srv := &http.Server{}
	shareTickets(srv, newWorker(0))
	if srv.TLSConfig == nil || srv.TLSConfig.WrapSession == nil {
		t.Error("there is none")
	}
}
