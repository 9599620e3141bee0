// Websocket has two ways to reload a server of websockets.
//
// The echo server loses no message. When its worker drains, it sends each client the text
// "leaving"; the client stops sending, gets the remaining answers, and closes. A connection
// that a client leaves open ends with the grace.
//
// The clock at /clock only sends. When its worker drains, it closes its sockets with status
// 1012, Service Restart (the registry of RFC 6455), and their clients connect again, to the
// new worker.
//
//	go run . &
//	kill -HUP <the master's pid, from its first log line>
package main

import (
	"context"
	"flag"
	"log"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/rota-go/rota/rotahttp"
	"github.com/rota-go/rota/worker"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	http.HandleFunc("/", echo)
	http.HandleFunc("/clock", clock)
	if err := rotahttp.ListenAndServe(*addr, nil); err != nil {
		log.Fatal(err)
	}
}

// leaving is the message that asks a client to close its connection.
const leaving = "leaving"

func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go warn(ctx, c, disconnecting())
	for {
		kind, message, err := c.Read(ctx)
		if err != nil {
			return
		}
		if err := c.Write(ctx, kind, message); err != nil {
			return
		}
	}
}

// warn sends leaving to the client when the worker begins to drain.
func warn(ctx context.Context, c *websocket.Conn, disconnecting <-chan struct{}) {
	select {
	case <-disconnecting:
		_ = c.Write(ctx, websocket.MessageText, []byte(leaving)) // fails if the client has closed
	case <-ctx.Done():
	}
}

// clock sends the time until the client closes or the worker begins to drain.
func clock(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow()
	ctx := c.CloseRead(context.Background())
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			if err := c.Write(ctx, websocket.MessageText, []byte(now.Format(time.TimeOnly))); err != nil {
				return
			}
		case <-disconnecting():
			time.Sleep(rand.N(spread)) // or all clients would connect again at the same moment
			_ = c.Close(websocket.StatusServiceRestart, "the server reloads")
			return
		case <-ctx.Done():
			return
		}
	}
}

// spread is the time in which the clients of a draining worker are sent away.
const spread = 200 * time.Millisecond

// disconnecting returns the channel that is closed when this worker begins to drain. Without
// a master (ROTA=off) that is never.
func disconnecting() <-chan struct{} {
	if self := worker.Self(); self != nil {
		return self.Disconnecting()
	}
	return nil
}
