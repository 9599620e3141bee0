package workerproc

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

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
	swallow(client)
	io.WriteString(client, "GET") // whatever is asked
	for _, limit := range []int64{size, size / 2} {
		for _, draining := range []bool{false, true} {
			ln.w.draining.Store(draining)
			fmt.Fprintf(server, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
			for range size / limit {
				file.Seek(0, io.SeekStart)
				if n := allocated(func() { io.CopyN(server, file, limit) }); n >= copyBuffer {
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
	if k := allocated(func() { n, err = io.Copy(server, file) }); k >= copyBuffer {
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
	swallow(client)
	if n := allocated(func() { io.Copy(server, file) }); n >= copyBuffer {
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

// copyBuffer is what io.Copy makes where it has to copy.
const copyBuffer = 32 << 10

// swallow reads all that comes, and says how much in the end. It allocates nothing
// meanwhile, unlike io.Discard, whose buffers the garbage collector takes away.
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

// allocated is what this process allocates while f runs.
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
		done, content := swallow(toClient), make([]byte, size)
		go func() {
			fromClient.Write(content)
			fromClient.Close()
		}()
		if n := allocated(func() { io.Copy(to, from) }); n >= copyBuffer {
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

// A file is sent by sendfile, in a drain too.
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
		c.mu.Lock()
		sum += c.track.Events()
		c.mu.Unlock()
	}
	return sum
}
