package worker_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/worker"
)

// A worker that serves the connections that its master gives it.
func ExampleWorker_OnMessage() {
	self := worker.Self() // nil in a master
	self.OnMessage(func(msg ipc.Message) {
		if len(msg.Handles) == 0 {
			return
		}
		c, err := msg.Handles[0].Conn()
		if err != nil {
			log.Print(err) // the handle is closed when this function returns
			return
		}
		go func(c net.Conn) {
			defer c.Close()
			_, _ = c.Write([]byte("hello\n"))
			_ = self.Send("served")
		}(c)
	})
	<-self.Done()
}

// Self returns nil in a process that no master has started, as in this test.
func ExampleSelf() {
	if w := worker.Self(); w != nil {
		fmt.Println("worker", w.ID(), "in slot", w.Slot(), "of generation", w.Generation())
	} else {
		fmt.Println("not a worker")
	}
	// Output: not a worker
}

// A worker that drains shuts its server down before it leaves.
func ExampleWorker_OnDisconnect() {
	srv := &http.Server{Addr: ":8080"}
	if w := worker.Self(); w != nil {
		w.OnDisconnect(func(ctx context.Context) error { // ctx ends with the grace
			return srv.Shutdown(ctx)
		})
	}
}

// A worker that has lost its database is replaced.
func ExampleWorker_OnHealth() {
	check := func(db *sql.DB) {
		worker.Self().OnHealth(func(ctx context.Context) error { return db.PingContext(ctx) })
	}
	_ = check
}

// With master.Config.WaitReady a worker is ready when it calls Ready, here after it has
// filled its cache. Its predecessor serves until then.
func ExampleWorker_Ready() {
	serve := func(ln net.Listener, fillCache func() error) error {
		if err := fillCache(); err != nil {
			return err
		}
		if w := worker.Self(); w != nil {
			if err := w.Ready(); err != nil {
				return err // the master is gone
			}
		}
		return http.Serve(ln, nil)
	}
	_ = serve
}

// A worker reports to its master. The master gets the value at Events.Message.
func ExampleWorker_Send() {
	type report struct{ Requests int }
	if w := worker.Self(); w != nil {
		if err := w.Send(report{Requests: 1000}); err != nil {
			log.Print(err) // errors.Is finds worker.ErrQueueFull and worker.ErrDisconnected
		}
	}
}
