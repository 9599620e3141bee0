package worker

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/http1"
	"golang.org/x/net/nettest"
)

// What Accept returns can do what the net package's conns can.
var (
	_ interface {
		net.Conn
		io.ReaderFrom
		io.WriterTo
		SetNoDelay(bool) error
		SetLinger(int) error
		SetKeepAliveConfig(net.KeepAliveConfig) error
		CloseRead() error
		CloseWrite() error
		File() (*os.File, error)
		MultipathTCP() (bool, error)
	} = (*tcpConn)(nil)
	_ interface {
		net.Conn
		net.PacketConn
		CloseRead() error
		CloseWrite() error
		File() (*os.File, error)
		ReadMsgUnix(b, oob []byte) (int, int, int, *net.UnixAddr, error)
	} = (*unixConn)(nil)
)

func TestConnAsNetConn(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, draining := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/draining=%v", network, draining), func(t *testing.T) {
				nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
					ln := listenConns(t, network)
					ln.w.draining.Store(draining)
					c1, c2 = ln.pair(t)
					return c1, c2, func() { c1.Close(); c2.Close(); ln.Close() }, nil
				})
			})
		}
	}
}

func TestConnCloseCountsOnce(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, _ := ln.pair(t)
	if err := server.Close(); err != nil || ln.live.Load() != 0 {
		t.Fatalf("Close: %v, %d conns live", err, ln.live.Load())
	}
	if err := server.Close(); !errors.Is(err, net.ErrClosed) || ln.live.Load() != 0 {
		t.Fatalf("second Close: %v, %d conns live", err, ln.live.Load())
	}
	if _, err := server.Read(make([]byte, 9)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
	if _, err := server.Write(make([]byte, 9)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write: %v", err)
	}
}

func TestConnOpaque(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		ln := listenConns(t, network)
		ln.w.opaque = true
		ln.drain()
		go http.Serve(ln, http.HandlerFunc(hello))
		c := dialConn(t, ln.Addr())
		for range 3 {
			c.send(getRequest)
			if head, _ := c.answer("GET"); strings.Contains(head, http1.Line) {
				t.Fatalf("announced: %s", head)
			}
			for range 5 {
				ln.tick(1)
			}
		}
	}
}

// A conn of another type is counted, and what it is can be reached.
func TestConnOfAnotherType(t *testing.T) {
	pipe, other := net.Pipe()
	defer other.Close()
	half := tls.Server(pipe, nil)
	for _, inner := range []net.Conn{half, pipe} {
		closed := 0
		outer, c := newConn(inner, &watch{draining: new(atomic.Bool), closed: func(*conn) { closed++ }})
		if outer.(interface{ NetConn() net.Conn }).NetConn() != inner {
			t.Error("NetConn is another one")
		}
		if _, ok := outer.(halfCloser); ok != (inner == half) {
			t.Errorf("%T: CloseWrite is there: %v", inner, ok)
		}
		c.idleTick(0)
		outer.Close()
		outer.Close()
		if closed != 1 {
			t.Errorf("%T: counted out %d times", inner, closed)
		}
	}
}

// serveByHand answers each request, read with a buffer of its own, by this function.
func serveByHand(tb testing.TB, ln net.Listener, answer func(c net.Conn)) {
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				br := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					io.Copy(io.Discard, r.Body)
					answer(c)
				}
			}()
		}
	}()
}

// Answers that a server writes in its own way: byte by byte, several at once, by
// ReadFrom from its first byte on.
func TestConnHandWrittenAnswers(t *testing.T) {
	for name, answer := range map[string]func(net.Conn){
		"byte by byte": func(c net.Conn) {
			for i := range len(plainAnswer) {
				io.WriteString(c, plainAnswer[i:i+1])
			}
		},
		"ReadFrom": func(c net.Conn) {
			c.(io.ReaderFrom).ReadFrom(io.LimitReader(strings.NewReader(plainAnswer+"more"), int64(len(plainAnswer))))
		},
		"ReadFrom, head and body": func(c net.Conn) {
			at := strings.Index(plainAnswer, "hi")
			c.(io.ReaderFrom).ReadFrom(onlyReader{strings.NewReader(plainAnswer[:at])})
			c.(io.ReaderFrom).ReadFrom(onlyReader{strings.NewReader(plainAnswer[at:])})
		},
	} {
		t.Run(name, func(t *testing.T) {
			ln := listenConns(t, "tcp")
			serveByHand(t, ln, answer)
			c := dialConn(t, ln.Addr())
			c.send(getRequest)
			if got := c.full(len(plainAnswer)); got != plainAnswer {
				t.Fatalf("before the drain %q", got)
			}
			ln.drain()
			c.send(getRequest)
			if got := c.full(len(lastAnswer)); got != lastAnswer {
				t.Fatalf("in the drain %q", got)
			}
			c.end()
		})
	}
}

type onlyReader struct{ io.Reader }

// Two answers in one Write, both in the drain: the second announces.
func TestConnTwoAnswersInOneWrite(t *testing.T) {
	ln := listenConns(t, "tcp")
	ln.drain()
	server, client := ln.pair(t)
	io.WriteString(client, getRequest+getRequest)
	for got := 0; got < 2*len(getRequest); {
		n, err := server.Read(make([]byte, 4096))
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
	if n, err := io.WriteString(server, plainAnswer+plainAnswer); n != 2*len(plainAnswer) || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if _, err := server.Read(make([]byte, 4096)); err != io.EOF {
		t.Errorf("Read: %v, want EOF", err)
	}
	server.Close()
	if got, _ := io.ReadAll(client); string(got) != plainAnswer+lastAnswer {
		t.Errorf("got %q", got)
	}
}

// Input that a client sends after it was told is still served, and EOF comes
// only where none waits.
func TestConnInputAfterAnnouncement(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		ln := listenConns(t, network)
		ln.drain()
		server, client := ln.pair(t)
		buf := make([]byte, len(getRequest))
		for range 3 {
			io.WriteString(client, getRequest)
			eventually(t, "the request waits", ln.all()[0].waiting)
			if n, err := server.Read(buf); n != len(getRequest) || err != nil {
				t.Fatalf("Read = %d, %v", n, err)
			}
			io.WriteString(server, plainAnswer)
		}
		server.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := server.Read(buf[:1]); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("a Read that only looks out: %v", err)
		}
		if ln.all()[0].waiting() {
			t.Error("input waits that nobody sent")
		}
		if _, err := server.Read(buf); err != io.EOF {
			t.Fatalf("Read: %v, want EOF", err)
		}
		io.WriteString(client, getRequest)
		if _, err := server.Read(buf); err != io.EOF {
			t.Fatalf("Read after EOF: %v", err)
		}
		server.(halfCloser).CloseWrite()
		if got, _ := io.ReadAll(client); string(got) != strings.Repeat(lastAnswer, 3) {
			t.Errorf("got %q", got)
		}
	}
}

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

// Of a protocol that is not tracked it is still known whether the program has
// asked for more after it has answered.
func TestConnQuiet(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		ln := listenConns(t, "tcp")
		ln.w.opaque = opaque
		server, client := ln.pair(t)
		c := ln.all()[0]
		check := func(when string, want bool) {
			t.Helper()
			if c.quiet() != want {
				t.Errorf("opaque=%v: quiet = %v %s", opaque, !want, when)
			}
		}
		check("after Accept", true)
		read := make(chan error)
		asks := make(chan bool)
		go func() {
			for range asks {
				_, err := server.Read(make([]byte, 99))
				read <- err
			}
		}()
		asks <- true
		for range 2 {
			eventually(t, "a silent conn is quiet", c.quiet)
			io.WriteString(client, "what?\n")
			if err := <-read; err != nil {
				t.Fatal(err)
			}
			check("with a question in hand", false)
			asks <- true
			eventually(t, "it asks", func() bool { return !c.busy.Load() })
			check("with a question in hand, asking for another", false)
			io.WriteString(server, "that\n")
			check("writing, as far as one can see", false)
			io.WriteString(client, "and?\n")
			<-read
			io.WriteString(server, "this\n")
			asks <- true
		}
		eventually(t, "it is quiet", c.quiet)
		close(asks)
		client.Close()
		<-read
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

// The program's deadlines work as on any conn, in a drain and while it ticks.
func TestConnDeadlines(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, client := ln.pair(t)
	buf := make([]byte, 4096)
	io.WriteString(client, getRequest)
	server.Read(buf)
	io.WriteString(server, plainAnswer)
	ln.drain()
	for range 3 {
		server.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		_, err := server.Read(buf)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Read: %v", err)
		}
		ln.tick(1 << 30)
	}
	server.SetReadDeadline(time.Time{})
	io.WriteString(client, getRequest)
	if n, err := server.Read(buf); n != len(getRequest) || err != nil {
		t.Fatalf("Read = %d, %v", n, err)
	}
}

// dripConn takes so many bytes and then fails, once.
type dripConn struct {
	net.Conn
	room int
	got  strings.Builder
}

func (d *dripConn) Write(p []byte) (int, error) {
	if d.room < len(p) {
		n, _ := d.got.Write(p[:d.room])
		d.room = 1 << 30
		return n, os.ErrDeadlineExceeded
	}
	d.room -= len(p)
	return d.got.Write(p)
}

// A Write that is interrupted anywhere counts the program's bytes, and when the
// program goes on after them the line is either whole or not there.
func TestConnInterruptedWrite(t *testing.T) {
	for room := range len(lastAnswer) {
		d := &dripConn{room: room}
		c := new(conn)
		c.init(d, &watch{draining: new(atomic.Bool)}, false)
		c.w.draining.Store(true)
		c.received([]byte(getRequest))
		n, err := c.Write([]byte(plainAnswer))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("room for %d: %v", room, err)
		}
		if k, err := c.Write([]byte(plainAnswer[n:])); err != nil || k != len(plainAnswer)-n {
			t.Fatalf("room for %d: then %d of %d, %v", room, k, len(plainAnswer)-n, err)
		}
		want := lastAnswer
		if room <= len("HTTP/1.1 200 OK\r\n") {
			want = plainAnswer
		}
		if d.got.String() != want {
			t.Errorf("room for %d: sent %q", room, d.got.String())
		}
	}
}

func TestConnInterruptedTwice(t *testing.T) {
	d := &dripConn{room: len("HTTP/1.1 200 OK\r\nConn")}
	c := new(conn)
	c.init(d, &watch{draining: new(atomic.Bool)}, false)
	c.w.draining.Store(true)
	c.received([]byte(getRequest))
	n, _ := c.Write([]byte(plainAnswer))
	d.room = 0
	if k, err := c.Write([]byte(plainAnswer[n:])); k != 0 || err == nil {
		t.Fatalf("Write = %d, %v", k, err)
	}
	d.room = 2
	if k, err := c.Write([]byte(plainAnswer[n:])); k != 0 || err == nil {
		t.Fatalf("Write = %d, %v", k, err)
	}
	c.Write([]byte(plainAnswer[n:]))
	c.Write([]byte(plainAnswer))
	if got := d.got.String(); got != lastAnswer+plainAnswer || !c.dark.Load() {
		t.Errorf("sent %q", got)
	}
}

// A torn line is made whole before ReadFrom sends anything.
func TestConnOwedBeforeReadFrom(t *testing.T) {
	ln := listenConns(t, "tcp")
	ln.drain()
	server, client := ln.pair(t)
	c := tracked(server)
	c.track.GiveUp()
	c.owed = "close\r\n"
	server.(io.ReaderFrom).ReadFrom(onlyReader{strings.NewReader("and so on")})
	server.Close()
	if got, _ := io.ReadAll(client); string(got) != "close\r\nand so on" || !c.dark.Load() {
		t.Errorf("got %q", got)
	}
}

// After a Write that failed nothing is known any more.
func TestConnFailedWrite(t *testing.T) {
	for _, draining := range []bool{false, true} {
		d := &dripConn{room: len(plainAnswer) - 1}
		c := new(conn)
		c.init(d, &watch{draining: new(atomic.Bool)}, false)
		c.received([]byte(getRequest))
		io.WriteString(c, plainAnswer[:len(plainAnswer)-2])
		c.w.draining.Store(draining)
		if n, err := io.WriteString(c, "hi"); n != 1 || err == nil || !c.dark.Load() {
			t.Errorf("draining=%v: Write = %d, %v", draining, n, err)
		}
	}
}

// endingConn notes that its reading side is shut down.
type endingConn struct {
	net.Conn
	ended int
}

func (e *endingConn) Read(p []byte) (int, error)  { return 0, nil }
func (e *endingConn) Write(p []byte) (int, error) { return len(p), nil }
func (e *endingConn) CloseRead() error            { e.ended++; return nil }

// The ticks of a conn count only while it is at rest, asks, and nothing happens.
func TestConnIdleTicks(t *testing.T) {
	e := new(endingConn)
	c := new(conn)
	c.init(e, &watch{draining: new(atomic.Bool)}, false)
	ticks := func(when string, n, ended int) {
		t.Helper()
		for range n {
			c.idleTick(3)
		}
		if e.ended != ended {
			t.Fatalf("%s: ended %d times, want %d", when, e.ended, ended)
		}
	}
	c.Read(make([]byte, 99))
	ticks("before anything", 9, 0)
	for range 3 {
		c.received([]byte(getRequest))
		ticks("with a request in hand", 9, 0)
		io.WriteString(c, plainAnswer)
		ticks("before it asks again", 9, 0)
		c.Read(make([]byte, 1))
		ticks("while it looks out", 9, 0)
		c.Read(make([]byte, 99))
		ticks("after too few ticks", 2, 0)
	}
	ticks("at the limit", 1, 1)
}

// Input that the program is about to read keeps a conn from being idle.
func TestConnIdleWithInput(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, client := ln.pair(t)
	c := tracked(server)
	buf := make([]byte, 99)
	io.WriteString(client, getRequest)
	server.Read(buf)
	io.WriteString(server, plainAnswer)
	c.busy.Store(false) // as if Read had begun, and not come as far as the kernel
	io.WriteString(client, "POST / HT")
	eventually(t, "the input waits", c.waiting)
	for range 9 {
		ln.tick(1)
	}
	server.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
	if n, err := server.Read(buf); n != 9 || err != nil {
		t.Fatalf("Read = %d, %v", n, err)
	}
	if n, err := server.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Read = %d, %v in the middle of a request", n, err)
	}
}

// Accepting costs one allocation of ours.
func TestConnAllocations(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, _ := ln.pair(t)
	inner := server.(*tcpConn).TCPConn
	var keep net.Conn
	if n := testing.AllocsPerRun(100, func() { keep, _ = newConn(inner, ln.w) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
	_ = keep
}

// A body goes out by sendfile: no buffer is made for it, in a drain neither.
func TestConnSendfile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the net package may copy here")
	}
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const size = 1 << 20
	file.Truncate(size)
	ln := listenConns(t, "tcp")
	server, client := ln.pair(t)
	go io.Copy(io.Discard, client)
	io.WriteString(client, "GET") // whatever is asked
	for _, limit := range []int64{size, size / 2} {
		for _, draining := range []bool{false, true} {
			ln.w.draining.Store(draining)
			fmt.Fprintf(server, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
			for range size / limit {
				file.Seek(0, io.SeekStart)
				if n := allocated(func() { io.CopyN(server, file, limit) }); n > 16<<10 {
					t.Errorf("draining=%v: %d bytes were allocated for %d of body", draining, n, limit)
				}
			}
			if !ln.all()[0].boundary() {
				t.Errorf("draining=%v: the answer has not ended", draining)
			}
		}
	}
	fmt.Fprintf(server, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
	file.Seek(0, io.SeekStart)
	// os.File would send by itself, past the conn, if it could get at the descriptor.
	var n int64
	if k := allocated(func() { n, err = io.Copy(server, file) }); k > 16<<10 {
		t.Errorf("%d bytes were allocated for a file without a limit", k)
	}
	if n != size || err != nil || !ln.all()[0].boundary() {
		t.Errorf("a file without a limit: %d, %v", n, err)
	}
}

// Nothing is in the way of os.File on a conn that is not tracked.
func TestConnSendfileUnix(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the net package may copy here")
	}
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	file.Truncate(1 << 20)
	ln := listenConns(t, "unix")
	ln.w.opaque = true
	server, client := ln.pair(t)
	go io.Copy(io.Discard, client)
	if n := allocated(func() { io.Copy(server, file) }); n > 16<<10 {
		t.Errorf("%d bytes were allocated", n)
	}
}

func tracked(c net.Conn) *conn {
	switch c := c.(type) {
	case *tcpConn:
		return &c.conn
	case *unixConn:
		return &c.conn
	}
	return nil
}

func (c *conn) boundary() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.track.Boundary()
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What a program splices is not copied either, once it is known not to be HTTP/1.
func TestConnSplice(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the net package may copy here")
	}
	const size = 1 << 20
	for name, networks := range map[string][2]string{"tcp to tcp": {"tcp", "tcp"}, "unix to tcp": {"unix", "tcp"}} {
		from, fromClient := listenConns(t, networks[0]).pair(t)
		to, toClient := listenConns(t, networks[1]).pair(t)
		done, content := make(chan int64), make([]byte, size)
		go func() {
			n, _ := io.Copy(io.Discard, toClient)
			done <- n
		}()
		go func() {
			fromClient.Write(content)
			fromClient.Close()
		}()
		if n := allocated(func() { io.Copy(to, from) }); n > 16<<10 {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
		if !tracked(from).dark.Load() || tracked(from).quiet() {
			t.Errorf("%s: what is read unseen counts as seen", name)
		}
		to.Close()
		if n := <-done; n != size {
			t.Errorf("%s: %d bytes arrived", name, n)
		}
	}
}

// Multipath TCP ends as TCP does.
func TestConnIdleMultipath(t *testing.T) {
	ln := serveConns(t, "tcp", hello)
	var d net.Dialer
	d.SetMultipathTCP(true)
	raw, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Skip(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(10 * time.Second))
	if multi, _ := raw.(*net.TCPConn).MultipathTCP(); !multi {
		t.Skip("no Multipath TCP here")
	}
	io.WriteString(raw, getRequest)
	eventually(t, "the answer is read", func() bool {
		n, _ := raw.Read(make([]byte, 4096))
		return n > 0
	})
	ln.drain()
	eventually(t, "it is ended", func() bool { ln.tick(1); return ln.live.Load() == 0 })
}
