//go:build linux

package socket

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// passive is a server that opens a port for each request, as an FTP server does for each
// transfer.
func passive() {
	log.Fatal(http.Serve(server.MustListen(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		data := server.MustListen()
		fmt.Fprint(w, data.Addr())
		go func() {
			defer data.Close()
			if c, err := data.Accept(); err == nil {
				fmt.Fprint(c, "data")
				c.Close()
			}
		}()
	})))
}

// A listener that a worker of a reload opens after its trial accepts at once.
func TestListenerAfterTheTrial(t *testing.T) {
	t.Parallel()
	const trial = 4 * time.Second // of which a worker waits for 3
	p := e2etest.Start(t, "passive", master.Config{MinUptime: trial})
	p.Reload()
	e2etest.WaitFor(t, "the end of the old worker, where Listen fails", func() bool { return len(p.Children()) == 1 }, p.Log.String)
	for range 5 {
		addr, err := e2etest.Request("tcp", p.Addr(), "/")
		e2etest.NoError(t, err)
		began := time.Now()
		c, err := net.Dial("tcp", addr)
		e2etest.NoError(t, err)
		if b, err := io.ReadAll(c); string(b) != "data" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		c.Close()
		if d := time.Since(began); d > trial/2 {
			t.Fatalf("the port was served after %v", d)
		}
	}
}

// byFile is a server that accepts from the listener's File. With the flag "track" it gives
// the listener that it makes of that to rota.Track.
func byFile() {
	ln := server.MustListen()
	f, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		log.Fatal(err)
	}
	own, err := net.FileListener(f)
	if err != nil {
		log.Fatal(err)
	}
	f.Close()
	if os.Getenv(e2etest.FlagsEnv) == "track" {
		own = rota.Track(own)
	}
	ln.Close()
	log.Fatal(http.Serve(own, http.HandlerFunc(server.Answer)))
}

// A server that accepts from the listener's File is served and reloaded, and told what it
// misses. With rota.Track it misses nothing.
func TestServerOnTheFileOfAListener(t *testing.T) {
	t.Parallel()
	const warning = "the program accepts from the listener's File"
	for _, flag := range []string{"", "track"} {
		t.Run("flag="+flag, func(t *testing.T) {
			t.Parallel()
			p := e2etest.Start(t, "by-file", server.Quick(1), e2etest.FlagsEnv+"="+flag)
			if flag == "" {
				p.WaitOutput(warning, 1) // a worker's line is written on another goroutine
			}
			p.Reload()
			if flag == "track" {
				p.WaitLog(e2etest.WorkerLeft, 1)
				if n := p.Log.Count(warning); n > 0 {
					t.Errorf("the warning was given %d times", n)
				}
			}
			busy := p.InFlight("/?sleep=300ms")
			p.Signal(syscall.SIGTERM)
			if err := <-busy; err != nil && flag == "track" {
				t.Errorf("the request in flight at TERM: %v", err)
			}
			p.Wait()
			if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}
