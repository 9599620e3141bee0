//go:build linux

package operations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

// databaseGone is the error of an unhealthy worker.
const databaseGone = "the database is gone"

// linger sends the master a connection whose close blocks, as the other side doesn't read.
func linger(w http.ResponseWriter, r *http.Request) {
	c, err := net.Dial("tcp", r.URL.Query().Get("to"))
	if err != nil {
		log.Fatal(err)
	}
	_ = c.(*net.TCPConn).SetLinger(60)
	_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err == nil {
		_, err = c.Write(make([]byte, 1<<20))
	}
	if err := worker.Self().Send("a connection", ipc.FromConn(c)); err != nil {
		log.Fatal(err)
	}
}

// operated is a server with paths that make it unhealthy, use memory, or send slowly.
func operated() {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	var ill atomic.Bool
	var hoard [][]byte
	worker.Self().OnHealth(func(context.Context) error {
		if ill.Load() {
			return errors.New(databaseGone)
		}
		return nil
	})
	mux := http.NewServeMux()
	mux.HandleFunc("/", server.Answer)
	mux.HandleFunc("/ill", func(w http.ResponseWriter, r *http.Request) { ill.Store(true) })
	mux.HandleFunc("/grow", func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 64<<20)
		for i := 0; i < len(b); i += 512 {
			b[i] = 1
		}
		hoard = append(hoard, b)
		fmt.Fprintln(w, len(hoard))
	})
	mux.HandleFunc("/download", download)
	mux.HandleFunc("/linger", linger)
	mux.HandleFunc("/name", func(w http.ResponseWriter, r *http.Request) {
		b, _ := os.ReadFile("/proc/self/comm")
		_, _ = w.Write(b)
	})
	log.Fatal(http.Serve(ln, mux))
}

// download sends 1 KB every 100 ms for ?seconds.
func download(w http.ResponseWriter, r *http.Request) {
	seconds, _ := strconv.Atoi(r.FormValue("seconds"))
	w.Header().Set("Content-Length", strconv.Itoa(seconds*10*1024))
	piece := []byte(strings.Repeat("x", 1024))
	for range seconds * 10 {
		if _, err := w.Write(piece); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		time.Sleep(100 * time.Millisecond)
	}
}

// runMain is server.Quick(2) for programs whose main does something in the master.
func runMain() master.Config {
	cfg := server.Quick(2)
	cfg.RunMain = true
	return cfg
}

// observed is Serve. Its master answers on a unix socket, named after its pid, how many
// goroutines it has.
func observed() {
	if rota.IsMaster() {
		ln, err := net.Listen("unix", os.Getenv(e2etest.FlagsEnv)+"."+strconv.Itoa(os.Getpid()))
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			_ = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				runtime.GC()
				fmt.Fprintln(w, runtime.NumGoroutine())
			}))
		}()
	}
	server.Serve()
}

// initProcess is Serve, in a program whose master waits for a child of its own three
// seconds after the child was started.
func initProcess() {
	if rota.IsMaster() {
		cmd := exec.Command("sh", "-c", "exit 7")
		if err := cmd.Start(); err != nil {
			log.Fatal(err)
		}
		go func() {
			time.Sleep(3 * time.Second)
			fmt.Fprintln(os.Stderr, "child of the program:", cmd.Wait())
		}()
	}
	server.Serve()
}

// goroutines asks a master of observed.
func goroutines(path string) int {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", path)
		},
	}}
	resp, err := client.Get("http://master/")
	if err != nil {
		return -1
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return n
}
