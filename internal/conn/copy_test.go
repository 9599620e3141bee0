package conn

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The rest of a header line that an interrupted Write cut goes out before ReadFrom sends
// anything.
func TestConnPendingHeaderBeforeReadFrom(t *testing.T) {
	ln := listenConns(t, "tcp")
	ln.drain()
	server, client := ln.pair(t)
	c := tracked(server)
	c.http.OnRead([]byte(getRequest), true)
	parts := c.http.Split([]byte(plainAnswer), c.shared.Limiter, false, &c.socket)
	sent := len("HTTP/1.1 200 OK\r\nConnection: ")
	c.http.Wrote(parts, int64(sent), os.ErrDeadlineExceeded)
	server.(io.ReaderFrom).ReadFrom(onlyReader{strings.NewReader("and so on")})
	server.Close()
	if got, _ := io.ReadAll(client); string(got) != "close\r\nand so on" || !c.http.Untracked() {
		t.Errorf("got %q, untracked %v", got, c.http.Untracked())
	}
}

// A body is sent by sendfile, without a buffer, before and in a drain.
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
	swallow(client)
	answer := func(body func()) {
		io.WriteString(client, getRequest)
		server.Read(make([]byte, 1024))
		fmt.Fprintf(server, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		file.Seek(0, io.SeekStart)
		body()
	}
	for _, limit := range []int64{size, size / 2} {
		for _, draining := range []bool{false, true} {
			ln.shared.Draining.Store(draining)
			unbuffered(t, fmt.Sprintf("draining=%v, %d of body", draining, limit), func() (n uint64) {
				answer(func() {
					for range size / limit {
						n = max(n, allocated(func() { io.CopyN(server, file, limit) }))
					}
				})
				return n
			})
			if !ln.all()[0].http.State().Boundary {
				t.Errorf("draining=%v: the answer has not ended", draining)
			}
		}
	}
	// os.File would send by itself, past the conn, if it could get at the descriptor.
	var n int64
	unbuffered(t, "a file without a limit", func() (k uint64) {
		answer(func() { k = allocated(func() { n, err = io.Copy(server, file) }) })
		return k
	})
	if n != size || err != nil || !ln.all()[0].http.State().Boundary {
		t.Errorf("a file without a limit: %d, %v", n, err)
	}
}

// os.File can use the descriptor of a connection that is not tracked.
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
	ln.shared.Opaque = true
	server, client := ln.pair(t)
	swallow(client)
	unbuffered(t, "a file", func() uint64 {
		file.Seek(0, io.SeekStart)
		return allocated(func() { io.Copy(server, file) })
	})
}

// tracked returns the tracked part of c.
func tracked(c net.Conn) *Tracked {
	switch c := c.(type) {
	case *tcpConn:
		return (*Tracked)(&c.conn)
	case *unixConn:
		return (*Tracked)(&c.conn)
	}
	return nil
}

// copyBuffer is the size of the buffer that io.Copy allocates.
const copyBuffer = 32 << 10

// swallow reads from c until it ends, and then sends the number of bytes. Unlike a copy to
// io.Discard it allocates nothing meanwhile.
func swallow(c net.Conn) <-chan int64 {
	done, buf := make(chan int64, 1), make([]byte, copyBuffer)
	go func() {
		var sum int64
		for {
			n, err := c.Read(buf)
			if sum += int64(n); err != nil {
				done <- sum
				return
			}
		}
	}()
	return done
}

// allocated returns how many bytes this process allocates while f runs.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// unbuffered calls measure, which returns what was allocated, up to five times, and fails the test if that
// is never less than a buffer: what earlier tests have left to end allocates too.
func unbuffered(t *testing.T, what string, measure func() uint64) {
	t.Helper()
	var all []uint64
	for range 5 {
		n := measure()
		if all = append(all, n); n < copyBuffer {
			return
		}
	}
	t.Errorf("%s: %d bytes were allocated, in five tries", what, all)
}

// What a program copies between connections is spliced once it is known not to be HTTP/1.
func TestConnSplice(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the net package may copy here")
	}
	const size = 1 << 20
	for name, networks := range map[string][2]string{"tcp to tcp": {"tcp", "tcp"}, "unix to tcp": {"unix", "tcp"}} {
		froms, tos, content := listenConns(t, networks[0]), listenConns(t, networks[1]), make([]byte, size)
		unbuffered(t, name, func() uint64 {
			from, fromClient := froms.pair(t)
			to, toClient := tos.pair(t)
			done := swallow(toClient)
			go func() {
				fromClient.Write(content)
				fromClient.Close()
			}()
			n := allocated(func() { io.Copy(to, from) })
			if !tracked(from).http.Untracked() || tracked(from).Quiet() {
				t.Errorf("%s: what is read unseen counts as seen", name)
			}
			to.Close()
			if n := <-done; n != size {
				t.Errorf("%s: %d bytes arrived", name, n)
			}
			return n
		})
	}
}

// http.ServeFile needs few writes, before and in a drain.
func TestConnFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	content := strings.Repeat("0123456789abcdef", 1<<16)
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	ln := serveConns(t, "tcp", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) })
	c := dialConn(t, ln.Addr())
	for _, draining := range []bool{false, true} {
		if draining {
			ln.drain()
		}
		before := ln.events()
		c.send(getRequest)
		if head, body := c.answer("GET"); body != content || announced(head) != draining {
			t.Fatalf("draining=%v: %s, %d bytes", draining, head, len(body))
		}
		if n := ln.events() - before; n > 8 {
			t.Errorf("draining=%v: the file was sent in %d writes", draining, n)
		}
	}
	c.end()
}

func (ln *connListener) events() (sum uint32) {
	for _, c := range ln.all() {
		sum += c.http.State().Events
	}
	return sum
}

// The answers of a program that reads in one goroutine and answers in another are
// announced too.
func TestConnReaderApart(t *testing.T) {
	for _, before := range []int{0, 1, 2, 5} {
		ln := listenConns(t, "tcp")
		server, client := ln.pair(t)
		requests := make(chan *http.Request)
		go func() {
			defer close(requests)
			for br := bufio.NewReader(server); ; {
				r, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				requests <- r
			}
		}()
		go func() {
			for range requests {
				io.WriteString(server, plainAnswer)
			}
			server.Close()
		}()
		ask := func(want string) {
			io.WriteString(client, getRequest)
			got := make([]byte, len(want))
			if _, err := io.ReadFull(client, got); err != nil || string(got) != want {
				t.Fatalf("after %d requests: got %q, %v", before, got, err)
			}
		}
		for range before {
			ask(plainAnswer)
		}
		ln.drain()
		ask(lastAnswer)
		if rest, err := io.ReadAll(client); err != nil || len(rest) > 0 {
			t.Errorf("after %d requests: the end is %q, %v", before, rest, err)
		}
	}
}

// A connection isn't idle while a copy goes out and another goroutine reads, however long
// the copy takes.
func TestConnCopyApart(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, client := ln.pair(t)
	c := tracked(server)
	source, feed := ln.pair(t)
	io.WriteString(client, getRequest)
	server.Read(make([]byte, 1024))
	io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
	go server.(io.ReaderFrom).ReadFrom(source)
	ended := make(chan error, 1)
	go func() {
		_, err := server.Read(make([]byte, 1024))
		ended <- err
	}()
	eventually(t, "the reader", func() bool { return !c.http.State().Busy })
	ln.drain()
	for range 10 {
		ln.tick(1)
	}
	io.WriteString(feed, "the body")
	br := bufio.NewReader(client)
	r, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(r.Body); string(body) != "the body" {
		t.Errorf("got %q, %v", body, err)
	}
	select {
	case err := <-ended:
		t.Errorf("the reader was ended: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
}
