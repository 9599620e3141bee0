package worker_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

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

// A scheduled job that runs in one worker at a time, however many there are.
func ExampleWorker_Lead() {
	every := func(ctx context.Context, d time.Duration, job func(context.Context)) error {
		for {
			select {
			case <-time.After(d):
				job(ctx)
			case <-ctx.Done():
				return nil
			}
		}
	}

	w := worker.Self() // nil in a process that no master has started
	go func() {
		err := w.Lead(context.Background(), "reports", func(ctx context.Context) error {
			return every(ctx, time.Hour, func(context.Context) { log.Print("reports") })
		})
		if !errors.Is(err, worker.ErrDisconnected) {
			log.Print(err)
		}
	}()
}

// A migration that each worker waits for, and one after the other runs. It finds nothing to
// do when another has run it.
func ExampleWorker_Lead_migration() {
	migrate := func(db *sql.DB) error {
		return worker.Self().Lead(context.Background(), "migration", func(ctx context.Context) error {
			_, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS visits (at timestamp)")
			return err
		})
	}
	_ = migrate
}

// Workers that tell each other which entries of their caches are old.
func ExampleWorker_Broadcast() {
	self := worker.Self()
	forget := func(key string) { log.Print("forget ", key) }
	self.OnMessage(func(msg ipc.Message) {
		var key string
		if msg.From != 0 && msg.Decode(&key) == nil {
			forget(key)
		}
	})
	changed := func(key string) {
		forget(key)
		if err := self.Broadcast(key); err != nil {
			log.Print(err)
		}
	}
	_ = changed
}
