// Websocket is an echo server that reloads without losing a message. When its worker
// drains, it sends each client the text "leaving"; the client stops sending, gets the
// remaining answers, and closes. A connection that a client leaves open ends with the grace.
//
//	go run . &
//	kill -HUP <the master's pid, from its first log line>
package main

import (
	"context"
	"flag"
	"log"
	"net/http"

	"github.com/coder/websocket"
	"github.com/rota-go/rota/rotahttp"
	"github.com/rota-go/rota/worker"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	if err := rotahttp.ListenAndServe(*addr, http.HandlerFunc(echo)); err != nil {
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
	if self := worker.Self(); self != nil {
		go warn(ctx, c, self.Disconnecting())
	}
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
