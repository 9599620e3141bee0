package rota_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

// get prints the answer to one request.
func get(addr net.Addr) {
	resp, err := http.Get("http://" + addr.String())
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s", resp.Status, body)
}

// An HTTP server whose processes are replaced when the master gets SIGHUP. Under go test
// Listen is net.Listen, so this example serves a request.
func ExampleListen() {
	ln, err := rota.Listen("tcp", "localhost:0") // was: net.Listen
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello")
	})}
	go func() { _ = srv.Serve(ln) }()
	defer srv.Close()

	get(ln.Addr())
	// Output: 200 OK hello
}

// A server that answers datagrams.
func ExampleListenPacket() {
	conn, err := rota.ListenPacket("udp", "localhost:0") // was: net.ListenPacket
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	go func() {
		b := make([]byte, 1500)
		for {
			n, client, err := conn.ReadFrom(b)
			if err != nil {
				return // net.ErrClosed when the worker has left
			}
			_, _ = conn.WriteTo(b[:n], client)
		}
	}()

	client, err := net.Dial("udp", conn.LocalAddr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	_ = client.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = client.Write([]byte("ping"))
	b := make([]byte, 1500)
	n, err := client.Read(b)
	fmt.Println(string(b[:n]), err)
	// Output: ping <nil>
}

// A unix socket that only its user and group can connect to.
func ExampleListenConfig_Listen() {
	dir, err := os.MkdirTemp("", "rota")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	config := rota.ListenConfig{
		Mode:    0o660,
		Backlog: 128,
		Control: func(network, address string, c syscall.RawConn) error {
			fmt.Println("set options of the", network, "socket")
			return nil
		},
	}
	ln, err := config.Listen(context.Background(), "unix", filepath.Join(dir, "socket"))
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	info, err := os.Stat(ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Mode().Perm())
	// Output:
	// set options of the unix socket
	// -rw-rw----
}

// A listener that another package has opened. A worker that drains closes it and waits
// for its connections.
func ExampleTrack() {
	inner, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	ln := rota.Track(inner) // use ln from here on, and close it instead of inner
	srv := &http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = srv.Serve(ln) }()
	defer srv.Close()

	get(ln.Addr())
	// Output: 404 Not Found 404 page not found
}

// Setup configures the master that the first Listen starts.
func ExampleSetup() {
	err := rota.Setup(master.Config{
		Workers:   4,
		Grace:     time.Minute,
		MaxMemory: 1 << 30,
	})
	if err != nil {
		log.Fatal(err) // a *master.ConfigError
	}
	ln, err := rota.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	fmt.Println(ln.Addr().Network())
	// Output: tcp
}

// The master runs main too, up to Listen. IsWorker keeps work that only workers need, such
// as opening a database, out of the master.
func ExampleIsWorker() {
	if rota.IsWorker() {
		log.SetPrefix(fmt.Sprintf("worker %d: ", worker.Self().ID()))
		fmt.Println("a master has started this process")
	} else {
		fmt.Println("this process becomes the master at Listen")
	}
	// Output: this process becomes the master at Listen
}

// The workers count what they do, and the master keeps the sum.
func ExampleOnMaster() {
	rota.OnMaster(func(m *master.Master) {
		sum := 0
		m.Subscribe(master.Events{Message: func(w *master.Worker, msg ipc.Message) {
			var n int
			if err := msg.Decode(&n); err == nil {
				sum += n // event functions run one at a time
			}
		}})
	})
	ln, err := rota.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	if w := worker.Self(); w != nil {
		_ = w.Send(1)
	}
}

// A program that makes its master itself, and is controlled by signals as one with Listen.
func ExampleRun() {
	m, err := master.New(master.Config{Exec: "/usr/bin/server", Workers: 4})
	if err != nil {
		log.Fatal(err)
	}
	if err := rota.Run(context.Background(), m); err != nil {
		log.Fatal(err)
	}
}
