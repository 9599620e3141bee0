//go:build linux

package conn

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/http1"
)

// silent is a socket on which nothing waits, at the moment at which it is asked.
type silent struct{ *socket }

func (silent) InputWaiting() bool { return false }

// crossed returns a connection whose reading side the drain has shut down while the client
// sent this.
func crossed(t *testing.T, network, crosses string) (server net.Conn, tracked *Tracked, client net.Conn) {
	t.Helper()
	ln := listenConns(t, network)
	server, client = ln.pair(t)
	tracked = ln.all()[0]
	ln.shared.Draining.Store(true)
	io.WriteString(client, getRequest)
	read(t, server, getRequest)
	server.SetReadDeadline(longAgo) // for the drain the program reads from now on
	if _, err := server.Read(make([]byte, 2)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	server.SetReadDeadline(time.Time{})
	io.WriteString(server, plainAnswer)
	read(t, client, strings.Replace(plainAnswer, "\r\n", "\r\n"+http1.Line, 1))
	io.WriteString(client, crosses)
	for range 2 {
		tracked.http.IdleTick(1<<30, silent{&tracked.socket})
	}
	if !tracked.http.ReadClosed() {
		t.Fatal("the reading side is open")
	}
	return server, tracked, client
}

// read reads what is expected.
func read(t *testing.T, c net.Conn, want string) {
	t.Helper()
	p := make([]byte, len(want))
	if n, err := io.ReadFull(c, p); err != nil || string(p) != want {
		t.Fatalf("got %q, %v; want %q", p[:n], err, want)
	}
}

// end returns a channel that gets the result of a Read, which must be the end.
func end(t *testing.T, use func(io.Reader) (int64, error), c net.Conn) <-chan error {
	ended := make(chan error, 1)
	go func() {
		n, err := use(c)
		if n > 0 {
			err = errors.New("bytes came")
		}
		ended <- err
	}()
	return ended
}

// must waits for the end.
func must(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the end isn't passed on")
	}
}

// mustNot fails the test if the end comes.
func mustNot(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		t.Fatalf("the end comes before the client's, with %v", err)
	case <-time.After(10 * time.Millisecond):
	}
}

// A request that crosses the shutdown of the reading side, and that ends the tracking, is
// answered in full before the program reads the end: that comes with the client's, or when
// connections of the kind end.
func TestUntrackedRequestCrossesTheEnd(t *testing.T) {
	readAll := func(r io.Reader) (int64, error) { return io.Copy(io.Discard, struct{ io.Reader }{r}) }
	copyAll := func(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) } // by WriteTo where there is one
	for _, request := range []string{"\x00\xff\r\n", "GET / HTTP/9\r\n\r\n", "CONNECT h:1 HTTP/1.1\r\n\r\n"} {
		for name, use := range map[string]func(io.Reader) (int64, error){"tcp": readAll, "unix": readAll, "tcp copy": copyAll} {
			network := strings.Fields(name)[0]
			t.Run(name+" "+request[:3], func(t *testing.T) {
				server, _, client := crossed(t, network, request)
				read(t, server, request)
				io.WriteString(server, "HTTP/1.1 200 OK\r\n\r\n")
				ended := end(t, use, server)
				mustNot(t, ended)
				io.WriteString(server, "the rest of the answer")
				mustNot(t, ended)
				read(t, client, "HTTP/1.1 200 OK\r\n\r\nthe rest of the answer")
				client.Close()
				must(t, ended)
			})
			t.Run(name+" "+request[:3]+" ended", func(t *testing.T) {
				server, tracked, _ := crossed(t, network, request)
				read(t, server, request)
				io.WriteString(server, "HTTP/1.1 200 OK\r\n\r\n")
				ended := end(t, use, server)
				mustNot(t, ended)
				tracked.EndReading()
				must(t, ended)
			})
		}
	}
}

// The client of a unix socket that closes its writing side can't be told from one that goes
// on: its end is assumed when the program has been silent for a while.
func TestHiddenEnd(t *testing.T) {
	t.Parallel()
	const request = "\x00\xff\r\n"
	server, _, client := crossed(t, "unix", request)
	client.(halfCloser).CloseWrite()
	read(t, server, request)
	ended := end(t, func(r io.Reader) (int64, error) { return io.Copy(io.Discard, struct{ io.Reader }{r}) }, server)
	mustNot(t, ended) // the program may think for as long as it wants
	for begin := time.Now(); time.Since(begin) < lastWords+lastWords/4; {
		mustNot(t, ended)
	}
	for begin := time.Now(); time.Since(begin) < lastWords+lastWords/4; {
		io.WriteString(server, "x")
		mustNot(t, ended)
	}
	must(t, ended)
}

// A request of which a part crosses the shutdown is not finished later: the program has given
// it up when it has read the end, and nobody would answer it.
func TestEndIsFinal(t *testing.T) {
	server, tracked, client := crossed(t, "tcp", getRequest[:5])
	read(t, server, getRequest[:5])
	if n, err := server.Read(make([]byte, 100)); n > 0 || err != io.EOF {
		t.Fatal(n, err)
	}
	io.WriteString(client, getRequest[5:])
	for begin := time.Now(); !tracked.socket.InputWaiting(); {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("the rest doesn't arrive")
		}
	}
	for _, size := range []int{1, 100} {
		if n, err := server.Read(make([]byte, size)); n > 0 || err != io.EOF {
			t.Errorf("a Read of %d bytes after the end: %d, %v", size, n, err)
		}
	}
}
